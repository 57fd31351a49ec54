package hugepages

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// pages writes the counts in one directory of a tree that is laid out as sysfs.
func pages(t *testing.T, dir string, counts map[string]int) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, n := range counts {
		if err := os.WriteFile(filepath.Join(dir, name),
			[]byte(strconv.Itoa(n)+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSizesFromATree(t *testing.T) {
	root := t.TempDir()
	mm := filepath.Join(root, "sys/kernel/mm/hugepages")
	node := filepath.Join(root, "sys/devices/system/node")
	pages(t, mm+"/hugepages-1048576kB",
		map[string]int{"nr_hugepages": 1, "free_hugepages": 1, "resv_hugepages": 0})
	pages(t, mm+"/hugepages-2048kB",
		map[string]int{"nr_hugepages": 12, "free_hugepages": 9, "resv_hugepages": 2})
	pages(t, node+"/node10/hugepages/hugepages-2048kB",
		map[string]int{"nr_hugepages": 4, "free_hugepages": 4})
	pages(t, node+"/node2/hugepages/hugepages-2048kB",
		map[string]int{"nr_hugepages": 8, "free_hugepages": 5})
	pages(t, node+"/node3", nil) // a node without memory
	pages(t, node+"/power", nil)
	pages(t, mm+"/hugepages-kB", nil) // no kernel has such a name

	got, err := Sizes(root)
	if err != nil {
		t.Fatal(err)
	}
	want := []Size{
		{Bytes: 2 << 20, Total: 12, Free: 9, Reserved: 2, Nodes: []NodePages{{2, 8, 5}, {10, 4, 4}}},
		{Bytes: 1 << 30, Total: 1, Free: 1},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestSizesOfAKernelWithoutHugepages(t *testing.T) {
	sizes, err := Sizes(t.TempDir())
	if err != nil || len(sizes) != 0 {
		t.Errorf("got %v, %v; want none", sizes, err)
	}
	text := sizeError(0, nil).Error()
	if !strings.Contains(text, "CONFIG_HUGETLBFS") {
		t.Errorf("%q does not say what to do", text)
	}
}

func TestSizesWithAFileThatIsNoNumber(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "sys/kernel/mm/hugepages/hugepages-2048kB")
	pages(t, dir, map[string]int{"free_hugepages": 1, "resv_hugepages": 0})
	if err := os.WriteFile(filepath.Join(dir, "nr_hugepages"), []byte("many"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Sizes(root); !errors.Is(err, strconv.ErrSyntax) ||
		!strings.Contains(err.Error(), dir) {
		t.Errorf("got %v, want an error that names the file", err)
	}
}

func TestSizesOfThisMachine(t *testing.T) {
	sizes, err := Sizes("/")
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range sizes {
		if s.Bytes < os.Getpagesize() || s.Bytes&(s.Bytes-1) != 0 || s.Free > s.Total ||
			i > 0 && sizes[i-1].Bytes >= s.Bytes {
			t.Errorf("%+v after %+v", s, sizes[:i])
		}
	}
}

func TestShortageNamesTheCommand(t *testing.T) {
	for _, c := range []struct {
		err  ShortageError
		want string
	}{
		{ShortageError{PageSize: 2 << 20, Wanted: 10, Free: 3, Total: 5, Node: -1},
			"echo 12 > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"},
		{ShortageError{PageSize: 1 << 30, Wanted: 2, Node: 1},
			"echo 2 > /sys/devices/system/node/node1/hugepages/hugepages-1048576kB/nr_hugepages"},
		{ShortageError{PageSize: 2 << 20, Wanted: 2, Free: 2, Total: 2, Node: -1}, "hugetlb.2MB.max"},
	} {
		if got := c.err.remedy(); !strings.HasSuffix(got, c.want) && !strings.Contains(got, c.want) {
			t.Errorf("%+v: %q lacks %q", c.err, got, c.want)
		}
		if !strings.Contains(c.err.Error(), c.err.remedy()) {
			t.Errorf("%q lacks its remedy", c.err.Error())
		}
	}
}

func TestMountsOfHugetlbfs(t *testing.T) {
	got := hugetlbfs(`proc /proc proc rw 0 0
none /dev/hugepages hugetlbfs rw,pagesize=2M 0 0
none /mnt/with\040space hugetlbfs rw,pagesize=1024M 0 0
tmpfs /hugetlbfs tmpfs rw 0 0
`)
	if want := []string{"/dev/hugepages", "/mnt/with space"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
