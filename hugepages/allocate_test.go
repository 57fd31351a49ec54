package hugepages

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// small allocates ordinary pages and releases them when the test ends.
func small(t *testing.T, o Options) *Memory {
	t.Helper()
	o.PageSize = os.Getpagesize()
	mem, err := Allocate(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := mem.Release(); err != nil {
			t.Error(err)
		}
	})
	return mem
}

func TestMemoryIsZeroedWholePagesInTheDefaultWindow(t *testing.T) {
	page := os.Getpagesize()
	mem := small(t, Options{Bytes: 3*page - 1})
	if len(mem.Bytes()) != 3*page || mem.PageSize() != page {
		t.Errorf("%d bytes in pages of %d, want %d in pages of %d", len(mem.Bytes()), mem.PageSize(),
			3*page, page)
	}
	if n := bytes.Count(mem.Bytes(), []byte{0}); n != 3*page {
		t.Errorf("%d of %d bytes are zero", n, 3*page)
	}
	last := mem.Address() + uint64(len(mem.Bytes())) - 1
	if mem.Address() < DefaultFirst || last > DefaultLast || mem.Address()%uint64(page) != 0 {
		t.Errorf("placed at %#x to %#x", mem.Address(), last)
	}
	mem.Bytes()[len(mem.Bytes())-1] = 7
}

func TestEveryPageIsPresent(t *testing.T) {
	page := os.Getpagesize()
	mem := small(t, Options{Bytes: 50 * page})
	present := make([]byte, 50)
	if err := residency(mem.Bytes(), present); err != nil {
		t.Fatal(err)
	}
	for i, p := range present {
		if p&1 == 0 {
			t.Errorf("page %d is not present", i)
		}
	}
}

func TestMemoryIsSharedByDescriptor(t *testing.T) {
	mem := small(t, Options{Bytes: 1, Name: "shared"})
	other, err := unix.Mmap(mem.FD(), 0, len(mem.Bytes()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(other)
	mem.Bytes()[10] = 42
	if other[10] != 42 {
		t.Error("a second mapping of the descriptor does not show what was written")
	}
}

func TestDescriptorCannotTruncate(t *testing.T) {
	mem := small(t, Options{Bytes: 1})
	for _, size := range []int64{0, 1 << 20} {
		if err := unix.Ftruncate(mem.FD(), size); !errors.Is(err, unix.EPERM) {
			t.Errorf("ftruncate to %d: %v, want EPERM: the next access would be a SIGBUS", size, err)
		}
	}
}

func TestWindow(t *testing.T) {
	page := uint64(os.Getpagesize())
	const first = 77 << 32
	last := first + 4*page - 1
	a := small(t, Options{Bytes: int(2 * page), First: first, Last: last})
	b := small(t, Options{Bytes: int(2 * page), First: first, Last: last})
	if a.Address() != first || b.Address() != first+2*page {
		t.Errorf("placed at %#x and %#x, want %#x and %#x", a.Address(), b.Address(), first, first+2*page)
	}
	_, err := Allocate(Options{Bytes: 1, PageSize: int(page), First: first, Last: last})
	var window *Error
	if !errors.As(err, &window) || window.Op != opPlace ||
		!strings.Contains(window.Reason, fmt.Sprintf("%#x and %#x", uint64(first), uint64(last))) {
		t.Errorf("allocating in a full window: %v, want an error that names it", err)
	}
}

func TestWindowOfAWholeIOMMUAvoidsLowAddresses(t *testing.T) {
	for _, last := range []uint64{1<<39 - 1, math.MaxUint64} {
		mem := small(t, Options{Bytes: 1, First: 0, Last: last})
		if mem.Address() < lowAddresses || mem.Address() > last {
			t.Errorf("placed at %#x", mem.Address())
		}
	}
}

func TestReleaseMoreThanOnce(t *testing.T) {
	mem, err := Allocate(Options{Bytes: 1, PageSize: os.Getpagesize()})
	if err != nil {
		t.Fatal(err)
	}
	fd := mem.FD()
	for range 2 {
		if err := mem.Release(); err != nil {
			t.Fatal(err)
		}
	}
	if mem.Bytes() != nil || mem.Address() != 0 || mem.FD() != -1 {
		t.Error("released memory still shows bytes, an address or a descriptor")
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); !errors.Is(err, unix.EBADF) {
		t.Errorf("the descriptor is still open: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	page := os.Getpagesize()
	for _, c := range []struct {
		name  string
		o     Options
		field string
		is    error
		text  string
	}{
		{"no size", Options{}, "Bytes", nil, "Bytes is 0"},
		{"negative size", Options{Bytes: -1}, "Bytes", nil, "Bytes is -1"},
		{"too many bytes", Options{Bytes: math.MaxInt, PageSize: page}, "Bytes", nil,
			"more than a process can address"},
		{"page size not a power of two", Options{Bytes: 1, PageSize: 3000}, "PageSize", nil,
			"power of two"},
		{"window upside down", Options{Bytes: 1, First: 2, Last: 1}, "First", nil, "First is 0x2"},
		{"unknown page size", Options{Bytes: 1, PageSize: 8192}, "PageSize", ErrNoHugepages,
			"8192 bytes"},
		{"unknown node", Options{Bytes: 1, PageSize: page, Node: new(1000)}, "Node", unix.EINVAL,
			"Node is 1000"},
		{"not a mount", Options{Bytes: 1, PageSize: 2 << 20, Dir: t.TempDir()}, "", errNotHugetlbfs,
			"no mount of hugetlbfs; where memfd_create is refused, name a directory"},
	} {
		mem, err := Allocate(c.o)
		if err == nil {
			mem.Release()
			t.Errorf("%s: no error", c.name)
			continue
		}
		var e *Error
		if !errors.As(err, &e) || e.Field != c.field || c.is != nil && !errors.Is(err, c.is) ||
			!strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %T %v; want an *Error about %q with %q", c.name, err, err, c.field, c.text)
		}
	}
	_, err := Allocate(Options{Bytes: 1 << 40, PageSize: 2 << 20, First: 1 << 40, Last: 1 << 46})
	var short *ShortageError
	if !errors.As(err, &short) || !errors.Is(err, ErrNoHugepages) || short.Wanted != 524288 ||
		!strings.Contains(err.Error(), "524288 pages of 2 MiB") {
		t.Errorf("more than the machine has: %T %v; want a *ShortageError", err, err)
	}
}

func TestNodeOfThisMachine(t *testing.T) {
	small(t, Options{Bytes: 1, Node: new(0)})
	small(t, Options{Bytes: 1, Node: new(-1)}) // as sysfs shows for a device without a node
}

func TestSmallPagesOnlyWhenAskedFor(t *testing.T) {
	page := uint64(os.Getpagesize())
	// Room for ordinary pages and, whatever the machine has, for no hugepage.
	o := Options{Bytes: 1, First: 78<<32 + page, Last: 78<<32 + 3*page - 1}
	var window *Error
	if _, err := Allocate(o); !errors.As(err, &window) || window.Op != opPlace {
		t.Errorf("not asked for: %v, want an error about the window", err)
	}
	o.SmallPages = true
	mem, err := Allocate(o)
	if err != nil {
		t.Fatalf("asked for: %v", err)
	}
	defer mem.Release()
	if mem.PageSize() != int(page) {
		t.Errorf("asked for: pages of %d bytes", mem.PageSize())
	}
	o.Bytes = int(page) * 3
	if _, err := Allocate(o); !errors.As(err, &window) || window.Op != opPlace ||
		!strings.Contains(window.Reason, "pages of "+inUnits(int(page))) {
		t.Errorf("neither fits: %v, want an error about the window and ordinary pages", err)
	}
}

func TestOrdinaryPagesHaveNoPhysicalAddress(t *testing.T) {
	mem := small(t, Options{Bytes: 1})
	_, err := mem.Physical()
	var physical *Error
	if !errors.As(err, &physical) || physical.Value != mem.Address() ||
		!strings.Contains(err.Error(), "use hugepages") {
		t.Errorf("got %v, want an *Error that says to use hugepages", err)
	}
	mem.Release()
	if _, err := mem.Physical(); !errors.As(err, &physical) || !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Release: %v, want os.ErrClosed", err)
	}
}

// residentPages counts the pages of mem that are in memory.
func residentPages(t *testing.T, mem *Memory) (n int) {
	t.Helper()
	present := make([]byte, len(mem.Bytes())/mem.PageSize())
	if err := residency(mem.Bytes(), present); err != nil {
		t.Fatal(err)
	}
	for _, p := range present {
		n += int(p & 1)
	}
	return n
}

// Pages that another process has removed with a hole are present again; what cannot be made present
// is an error and no SIGBUS.
func TestPopulateAgain(t *testing.T) {
	mem := small(t, Options{Bytes: 1 << 20})
	data := mem.Bytes()
	data[0], data[len(data)-1] = 1, 1
	if err := mem.Populate(); err != nil || data[0] != 1 {
		t.Errorf("with all pages: %v, %d", err, data[0])
	}
	err := unix.Fallocate(mem.FD(), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if present := residentPages(t, mem); present != 0 {
		t.Fatalf("%d pages are left", present)
	}
	if err := mem.Populate(); err != nil {
		t.Error(err)
	}
	if present := residentPages(t, mem); present != 1<<20/os.Getpagesize() {
		t.Errorf("%d pages are present", present)
	}
	if data[0] != 0 {
		t.Error("the page is not new")
	}
	if err := mem.Release(); err != nil {
		t.Error(err)
	}
	if err := mem.Populate(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Release: %v", err)
	}
}

// A file that cannot be sealed, as one on a mount, can be truncated.
func TestPopulateATruncatedFile(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	if err := file.Truncate(int64(2 * page)); err != nil {
		t.Fatal(err)
	}
	mem := &Memory{file: file, pageSize: page}
	defer mem.Release()
	if mem.data, err = mapInWindow(file, 2*page, page, DefaultFirst, DefaultLast); err != nil {
		t.Fatal(err)
	}
	if err := mem.Populate(); err != nil {
		t.Error(err)
	}
	if err := file.Truncate(int64(page)); err != nil {
		t.Fatal(err)
	}
	var e *Error
	if err := mem.Populate(); !errors.As(err, &e) || !strings.Contains(err.Error(), "truncated") {
		t.Errorf("%T %v", err, err)
	}
}
