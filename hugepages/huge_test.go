package hugepages

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// hugeSize is the page size of the tests that take hugepages.
const hugeSize = 2 << 20

// reserve enlarges the pool by n pages until the test ends. The file is locked meanwhile, because
// the tests of other packages enlarge the pool as well.
func reserve(t *testing.T, n int) {
	t.Helper()
	if os.Geteuid() != 0 && os.Getenv("CI") == "" { // in CI it fails instead
		t.Skip("needs root: it writes nr_hugepages")
	}
	path := filepath.Join("/", pool(hugeSize), "nr_hugepages")
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	before := total(t)
	t.Cleanup(func() {
		if _, err := file.WriteAt([]byte(strconv.Itoa(before)), 0); err != nil {
			t.Error(err)
		}
	})
	if _, err := file.WriteAt([]byte(strconv.Itoa(before+n)), 0); err != nil {
		t.Fatal(err)
	}
	if got := total(t); got < before+n {
		t.Fatalf("the kernel gave %d of %d more pages", got-before, n)
	}
}

// counts returns the counts of the pool.
func counts(t *testing.T) Size {
	t.Helper()
	sizes, err := Sizes("/")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(sizes, func(s Size) bool { return s.Bytes == hugeSize })
	if i < 0 {
		t.Fatal("the kernel has no hugepages of 2 MiB")
	}
	return sizes[i]
}

func total(t *testing.T) int { return counts(t).Total }

func TestHugepages(t *testing.T) {
	reserve(t, 8)
	mem, err := Allocate(Options{Bytes: hugeSize + 1})
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Release()
	if mem.PageSize() != hugeSize || len(mem.Bytes()) != 2*hugeSize || mem.Address()%hugeSize != 0 {
		t.Errorf("%d bytes in pages of %d at %#x", len(mem.Bytes()), mem.PageSize(), mem.Address())
	}
	for i, b := range mem.Bytes() {
		if b != 0 {
			t.Fatalf("byte %d is %d", i, b)
		}
	}
	if err := unix.Ftruncate(mem.FD(), 0); !errors.Is(err, unix.EPERM) {
		t.Errorf("ftruncate: %v, want EPERM", err)
	}
}

func TestHugepagesOfANode(t *testing.T) {
	reserve(t, 8)
	for _, n := range counts(t).Nodes {
		if n.Free == 0 {
			continue
		}
		mem, err := Allocate(Options{Bytes: 1, PageSize: hugeSize, Node: &n.Node})
		if err != nil {
			t.Errorf("node %d with %d free pages: %v", n.Node, n.Free, err)
			continue
		}
		mem.Release()
	}
}

func TestPhysicalAddresses(t *testing.T) {
	reserve(t, 8)
	mem, err := Allocate(Options{Bytes: 4 * hugeSize, PageSize: hugeSize})
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Release()
	got, err := mem.Physical()
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[uint64]bool)
	for i, p := range got {
		if p == 0 || p%hugeSize != 0 || seen[p] {
			t.Errorf("page %d is at %#x; all: %#x", i, p, got)
		}
		seen[p] = true
	}
	if again, err := mem.Physical(); err != nil || !slices.Equal(got, again) {
		t.Errorf("asked again: %#x, %v; before: %#x", again, err, got)
	}
}

// The fallback for kernels before Linux 5.14 makes pages present as well.
func TestPopulatingByWriting(t *testing.T) {
	reserve(t, 8)
	o := Options{Bytes: 2 * hugeSize, Name: "by writing"}
	file, err := o.open(hugeSize, o.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	mem := &Memory{file: file, pageSize: hugeSize}
	defer mem.Release()
	first, last := o.window()
	if mem.data, err = mapInWindow(file, o.Bytes, hugeSize, first, last); err != nil {
		t.Fatal(err)
	}
	var absent *Error
	if _, err := mem.Physical(); !errors.As(err, &absent) {
		t.Fatalf("before: %v", err)
	}
	if err := populateByWriting(file, mem.data, hugeSize); err != nil {
		t.Fatal(err)
	}
	if got, err := mem.Physical(); err != nil || len(got) != 2 {
		t.Errorf("%#x, %v", got, err)
	}
}

// A mapping may be granted that cannot be populated: with MAP_NORESERVE, under a control group, on
// one node. That must be an error and not SIGBUS.
func TestPopulatingTooMuchIsAnError(t *testing.T) {
	o := Options{Bytes: 1, Name: "too much"}
	const length = 1 << 42
	file, err := o.open(hugeSize, length)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	data, err := unix.Mmap(int(file.Fd()), 0, length, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_SHARED|unix.MAP_NORESERVE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(data)
	var short *ShortageError
	err = o.shortage(populate(file, data, hugeSize), hugeSize, length)
	if !errors.As(err, &short) || short.Wanted != length/hugeSize || short.PageSize != hugeSize {
		t.Errorf("got %v, want a *ShortageError", err)
	}
	// The first step of populateByWriting.
	err = o.shortage(unix.Fallocate(int(file.Fd()), 0, 0, length), hugeSize, length)
	if !errors.As(err, &short) || !errors.Is(err, unix.ENOSPC) {
		t.Errorf("fallocate: got %v, want a *ShortageError with ENOSPC", err)
	}
}

// child marks a process that a test starts from this binary.
const child = "HUGEPAGES_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(child) {
	case "hold":
		hold()
	case "mount":
		if err := mounted(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	case "no memfd":
		if err := withoutMemfd(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	default:
		os.Exit(m.Run())
	}
}

// hold allocates four hugepages, reports it on standard output and waits to be killed.
func hold() {
	_, err := Allocate(Options{Bytes: 4 * hugeSize, PageSize: hugeSize})
	fmt.Println("allocated:", err)
	_, _ = os.Stdin.Read(make([]byte, 1))
}

func TestKillLeavesNoHugepageInUse(t *testing.T) {
	reserve(t, 16)
	// Other programs use hugepages too, so that many a count is wrong; pages left in use by the
	// child would show in every attempt.
	for begin := time.Now(); time.Since(begin) < time.Minute; {
		before, during, after := killHolder(t)
		t.Logf("in use: %d before, %d while the child held four, %d after", before, during, after)
		if during >= before+4 && after <= before {
			return
		}
	}
	t.Error("pages are in use after their process was killed")
}

// killHolder starts a child that holds four pages, kills it, and counts the pages in use before,
// meanwhile and after.
func killHolder(t *testing.T) (before, during, after int) {
	t.Helper()
	used := func() int { s := counts(t); return s.Total - s.Free }
	before = used()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), child+"=hold")
	stdin, err := cmd.StdinPipe() // kept open: the child waits on it
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	during = used()
	killErr := cmd.Process.Kill()
	_ = cmd.Wait() // says "killed"
	if err != nil || killErr != nil || strings.TrimSpace(line) != "allocated: <nil>" {
		t.Fatalf("the child said %q, %v, %v", line, err, killErr)
	}
	return before, during, used()
}

func TestFileOnAMount(t *testing.T) {
	reserve(t, 8)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), child+"=mount", "DIR="+t.TempDir())
	// The mount is visible to the child only.
	cmd.SysProcAttr = &unix.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// mounted allocates from a hugetlbfs of its own, whose free pages can be counted exactly.
func mounted() error {
	dir := os.Getenv("DIR")
	if err := unix.Mount("none", dir, "hugetlbfs", 0,
		fmt.Sprintf("pagesize=%d,size=%d", hugeSize, 4*hugeSize)); err != nil {
		return err
	}
	mem, err := Allocate(Options{Bytes: 3 * hugeSize, PageSize: hugeSize, Dir: dir})
	if err != nil {
		return err
	}
	mem.Bytes()[0] = 1
	if free := freeOn(dir); free != 1 {
		return fmt.Errorf("3 of 4 pages allocated: %d are free", free)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) > 0 {
		return fmt.Errorf("files that can be seen: %v, %v", names, err)
	}
	var short *ShortageError
	_, err = Allocate(Options{Bytes: 2 * hugeSize, PageSize: hugeSize, Dir: dir})
	if !errors.As(err, &short) || !errors.Is(err, ErrNoHugepages) {
		return fmt.Errorf("2 pages, 1 is free: %v, want a *ShortageError", err)
	}
	if err := mem.Release(); err != nil {
		return err
	}
	if free := freeOn(dir); free != 4 {
		return fmt.Errorf("all released: %d of 4 pages are free", free)
	}
	_, err = Allocate(Options{Bytes: 1, PageSize: 1 << 30, Dir: dir})
	if !errors.Is(err, errOtherPageSize) && !errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("pages of 1 GiB from a mount with others: %v, want the page size named", err)
	}
	file2, err := openMounted(hugeSize, nil)
	if err != nil {
		return fmt.Errorf("the mount was not found in /proc/mounts: %w", err)
	}
	return file2.Close()
}

// freeOn counts the free pages of a mount.
func freeOn(dir string) int {
	var fs unix.Statfs_t
	if unix.Statfs(dir, &fs) != nil {
		return -1
	}
	return int(fs.Bfree)
}
