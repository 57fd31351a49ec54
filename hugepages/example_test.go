package hugepages_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// Hugepages if the machine has enough of them, ordinary pages if not.
func ExampleAllocate() {
	mem, err := hugepages.Allocate(hugepages.Options{Bytes: 1 << 20, SmallPages: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("at least 1 MiB:", len(mem.Bytes()) >= 1<<20)
	fmt.Println("whole pages:", len(mem.Bytes())%mem.PageSize() == 0)
	fmt.Println("inside the window:", mem.Address() >= hugepages.DefaultFirst)

	// No device may be using the memory any more.
	if err := mem.Release(); err != nil {
		fmt.Println(err)
	}
	fmt.Println("after Release:", mem.Bytes() == nil, mem.FD())
	// Output:
	// at least 1 MiB: true
	// whole pages: true
	// inside the window: true
	// after Release: true -1
}

// A program that must have hugepages tells the user how to get them.
func ExampleAllocate_noHugepages() {
	_, err := hugepages.Allocate(hugepages.Options{
		Bytes: 1 << 40, PageSize: 2 << 20, First: 1 << 40, Last: 1 << 46, // 1 TiB in pages of 2 MiB
	})
	var short *hugepages.ShortageError
	if errors.Is(err, hugepages.ErrNoHugepages) && errors.As(err, &short) {
		fmt.Printf("%d pages are wanted\n", short.Wanted)
		// err.Error() ends with the command: as root: echo … > /sys/kernel/mm/hugepages/…
	}
	// Output:
	// 524288 pages are wanted
}

// The sizes come from sysfs: Sizes("/") shows those of this machine. Here a directory stands in for
// it.
func ExampleSizes() {
	root, err := os.MkdirTemp("", "sysfs")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(root)
	for path, count := range map[string]string{
		"hugepages-2048kB/nr_hugepages": "512", "hugepages-2048kB/free_hugepages": "500",
		"hugepages-2048kB/resv_hugepages":  "0",
		"hugepages-1048576kB/nr_hugepages": "2", "hugepages-1048576kB/free_hugepages": "1",
		"hugepages-1048576kB/resv_hugepages": "0",
	} {
		file := filepath.Join(root, "sys/kernel/mm/hugepages", path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755),
			os.WriteFile(file, []byte(count), 0o644)); err != nil {
			fmt.Println(err)
			return
		}
	}

	sizes, err := hugepages.Sizes(root)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range sizes {
		fmt.Printf("pages of %4d MiB: %d of %d are free\n", s.Bytes>>20, s.Free, s.Total)
	}
	// Output:
	// pages of    2 MiB: 500 of 512 are free
	// pages of 1024 MiB: 1 of 2 are free
}

// Another mapping of the descriptor, usually in another process that received it through a UNIX
// socket, shows the same bytes.
func ExampleMemory_FD() {
	mem, err := hugepages.Allocate(hugepages.Options{Bytes: 1, PageSize: os.Getpagesize(),
		Name: "shared"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer mem.Release()
	other, err := unix.Mmap(mem.FD(), 0, len(mem.Bytes()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer unix.Munmap(other)

	copy(mem.Bytes(), "written once")
	fmt.Printf("%s\n", other[:12])
	// Output:
	// written once
}
