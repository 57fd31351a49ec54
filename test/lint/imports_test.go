package lint

import (
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/virtio-pmd/virtio-pmd/"

// edges lists, for each package, the packages of this module that it imports. Test
// files are left out: they may import the software device and the helpers of test.
var edges = map[string][]string{
	"pci":                 {},
	"pci/sysfs":           {"pci"},
	"pci/sysfs/sysfstest": {"pci/sysfs"},
	"hugepages":           {},
	"vfio":                {"pci"},
	"driver": {
		"driver/internal/ctrlq", "driver/internal/eventfd", "driver/internal/gate", "driver/internal/stat",
		"driver/internal/virtq",
		"driver/mbuf", "driver/transport", "driver/virtio", "hugepages",
	},
	"driver/devargs": {
		"driver", "driver/mbuf", "driver/transport", "driver/transport/vhostuser", "driver/transport/vpci",
		"driver/vdev", "driver/vdev/pcifn", "driver/vdev/vhostback", "driver/vdev/wire",
		"driver/virtio", "hugepages", "pci", "pci/sysfs", "vfio",
	},
	"driver/internal/ctrlq":    {"driver/internal/virtq", "driver/virtio"},
	"driver/internal/eventfd":  {},
	"driver/internal/gate":     {},
	"driver/internal/nofile":   {},
	"driver/internal/stat":     {},
	"driver/internal/unixsock": {"driver/internal/nofile"},
	"driver/internal/virtq":    {"driver/internal/stat", "driver/mbuf", "driver/virtio"},
	"driver/lcore":             {"driver/internal/stat"},
	"driver/mbuf":              {"driver/internal/stat", "driver/virtio", "hugepages"},
	"driver/poll":              {"driver", "driver/internal/stat", "driver/lcore", "driver/mbuf"},
	"driver/transport":         {"driver/virtio", "hugepages"},
	"driver/transport/vhostuser": {
		"driver/internal/eventfd", "driver/internal/nofile", "driver/internal/unixsock",
		"driver/transport", "driver/virtio", "hugepages",
	},
	"driver/transport/vpci": {
		"driver/internal/eventfd", "driver/transport", "driver/virtio", "hugepages", "pci",
	},
	"driver/vdev":       {"driver/virtio"},
	"driver/vdev/pcifn": {"driver/vdev", "driver/virtio", "pci"},
	"driver/vdev/vhostback": {
		"driver/internal/eventfd", "driver/internal/nofile", "driver/internal/unixsock",
		"driver/vdev", "driver/vdev/vhostback/internal/raw", "driver/vdev/wire",
		"driver/virtio",
	},
	"driver/vdev/vhostback/internal/raw": {
		"driver/internal/stat", "driver/vdev", "driver/virtio",
	},
	"driver/vdev/wire":         {"driver/vdev", "driver/vdev/wire/capture", "driver/virtio"},
	"driver/vdev/wire/capture": {},
	"driver/virtio":            {},
	"apps/devbind": {
		"apps/internal/inuse", "apps/internal/usage", "apps/internal/version", "pci", "pci/sysfs",
	},
	"apps/internal/command": {
		"apps/internal/output", "apps/internal/usage", "apps/internal/version", "driver/devargs",
	},
	"apps/internal/await":   {},
	"apps/internal/dpdk":    {"apps/internal/command", "apps/internal/usage", "pci", "pci/sysfs"},
	"apps/internal/frame":   {"driver/mbuf"},
	"apps/internal/inuse":   {"pci", "pci/sysfs"},
	"apps/internal/output":  {},
	"apps/internal/pollers": {"apps/internal/command", "apps/internal/report", "driver", "driver/lcore"},
	"apps/internal/portset": {
		"apps/internal/await", "apps/internal/command", "apps/internal/inuse", "driver",
		"driver/devargs", "driver/mbuf", "driver/virtio", "hugepages", "pci/sysfs", "vfio",
	},
	"apps/internal/report": {"apps/internal/version", "driver"},
	"apps/internal/session": {
		"apps/internal/command", "apps/internal/output", "apps/internal/pollers",
		"apps/internal/portset", "apps/internal/report", "driver", "driver/devargs",
	},
	"apps/internal/usage":   {},
	"apps/internal/version": {},
	"apps/l2fwd": {
		"apps/internal/command", "apps/internal/dpdk", "apps/internal/frame", "apps/internal/pollers",
		"apps/internal/portset", "apps/internal/session", "apps/internal/usage", "driver", "driver/devargs",
		"driver/lcore", "driver/mbuf",
	},
	"apps/pktgen": {
		"apps/internal/command", "apps/internal/output", "apps/internal/pollers", "apps/internal/portset",
		"apps/internal/report", "apps/internal/session", "apps/pktgen/bench", "apps/pktgen/generator",
		"apps/pktgen/meter", "apps/pktgen/mlrsearch", "apps/pktgen/pace", "apps/pktgen/result",
		"apps/pktgen/traffic", "driver", "driver/devargs", "driver/virtio",
	},
	"apps/pktgen/bench": {
		"apps/pktgen/generator", "apps/pktgen/meter", "apps/pktgen/pace", "apps/pktgen/result",
		"apps/pktgen/traffic", "driver", "driver/mbuf",
	},
	"apps/pktgen/generator": {
		"apps/pktgen/pace", "apps/pktgen/result", "driver", "driver/mbuf",
	},
	"apps/pktgen/meter": {
		"apps/pktgen/generator", "apps/pktgen/result", "apps/pktgen/traffic", "driver/devargs",
		"driver/lcore", "driver/mbuf", "hugepages",
	},
	"apps/pktgen/mlrsearch": {},
	"apps/pktgen/pace":      {},
	"apps/pktgen/result":    {"apps/internal/version", "apps/pktgen/mlrsearch"},
	"apps/pktgen/traffic":   {"apps/pktgen/pace", "driver/mbuf", "driver/vdev/wire/capture"},
	"apps/testpmd": {
		"apps/internal/command", "apps/internal/dpdk", "apps/internal/frame", "apps/internal/output",
		"apps/internal/pollers", "apps/internal/portset", "apps/internal/report", "apps/internal/session",
		"apps/testpmd/console", "apps/testpmd/grammar", "driver", "driver/devargs", "driver/lcore",
		"driver/mbuf", "driver/virtio",
	},
	"apps/testpmd/console": {"apps/internal/output"},
	"apps/testpmd/grammar": {},
	"apps/vhostdev": {
		"apps/internal/await", "apps/internal/command", "apps/internal/pollers", "apps/internal/report",
		"apps/internal/session", "driver", "driver/devargs", "driver/lcore", "driver/vdev",
		"driver/vdev/vhostback", "driver/vdev/wire", "driver/virtio",
	},
	"test/child":                  {},
	"test/fdtest":                 {},
	"test/flowtest":               {"driver/virtio"},
	"test/frametest":              {"driver/mbuf"},
	"test/waketest":               {"driver", "driver/mbuf", "driver/vdev", "test/frametest"},
	"test/inettest":               {},
	"test/perf":                   {"test/child", "test/perf/internal/hugepool"},
	"test/perf/internal/hugepool": {},
	"test/perf/limit": {
		"driver", "driver/lcore", "driver/mbuf", "driver/transport", "driver/virtio",
		"hugepages", "test/child", "test/perf/internal/hugepool",
	},
	"test/perf/rfc2544":           {"test/child"},
	"test/perf/step":              {"test/perf/internal/hugepool"},
	"test/perf/step/device":       {},
	"test/perf/step/internal/tsc": {},
	"test/perf/step/ours": {
		"driver", "driver/devargs", "driver/mbuf", "test/perf/step/device",
		"test/perf/step/internal/tsc",
	},
	"test/tmuxtest": {},
	"test/vhost":    {},
	"test/vm":       {},
	"test/vm/agent": {},
	"test/vm/guest": {
		"driver", "driver/mbuf", "driver/transport/vpci", "driver/virtio", "pci",
		"test/flowtest", "test/vm/agent", "test/vm/image", "test/vm/talk", "test/waketest",
		"vfio",
	},
	"test/vm/image":   {},
	"test/vm/netlab":  {"test/vm/talk"},
	"test/vm/qemu":    {"test/child", "test/vm/agent"},
	"test/vm/talk":    {},
	"test/vm/traffic": {},
}

// TestImportEdges compares edges with the imports there are. An edge that is missing
// in the list fails, and so does one that nothing imports any more.
func TestImportEdges(t *testing.T) {
	found := map[string][]string{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		list := found[s.dir]
		for _, imported := range ours(s) {
			if !slices.Contains(list, imported) {
				list = append(list, imported)
			}
		}
		found[s.dir] = list
	}
	for _, dir := range slices.Sorted(maps.Keys(found)) {
		want, known := edges[dir]
		if !known {
			t.Errorf("package %s is not in the list; it imports %q", dir, found[dir])
			continue
		}
		for _, imported := range found[dir] {
			if !slices.Contains(want, imported) {
				t.Errorf("%s imports %s, which the list does not have", dir, imported)
			}
		}
		for i, listed := range want {
			if !slices.Contains(found[dir], listed) {
				t.Errorf("%s does not import %s, which the list has", dir, listed)
			}
			if slices.Contains(want[:i], listed) {
				t.Errorf("the list has %s twice for %s", listed, dir)
			}
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(edges)) {
		if _, exists := found[dir]; !exists {
			t.Errorf("the list has package %s, which does not exist", dir)
		}
	}
}

// barred are directions in which nothing is imported, whatever the list says: from the
// packages within one directory to those within another.
var barred = []struct {
	from, to string
	except   []string // directories that may
}{
	{"driver", "vfio", []string{"driver/devargs"}},
	{"driver", "driver/vdev", []string{"driver/devargs", "driver/vdev"}},
	{"driver", "apps", nil}, {"driver", "test", nil},
	{"pci", "driver", nil}, {"pci", "vfio", nil}, {"pci", "hugepages", nil},
	{"vfio", "driver", nil}, {"hugepages", "", nil}, {"driver/virtio", "", nil},
	{"apps", "test", nil},
}

// TestDependencyDirection checks the list itself.
func TestDependencyDirection(t *testing.T) {
	for dir, list := range edges {
		for _, imported := range list {
			for _, b := range barred {
				allowed := slices.ContainsFunc(b.except, func(d string) bool {
					return within(dir, d)
				})
				if within(dir, b.from) && within(imported, b.to) && !allowed {
					t.Errorf("%s must not import %s", dir, imported)
				}
			}
		}
	}
}

func TestUnsafeOnlyInUnsafeFiles(t *testing.T) {
	found := 0
	for _, s := range sources(t) {
		if !slices.Contains(imports(s), "unsafe") {
			continue
		}
		found++
		if !strings.Contains(filepath.Base(s.path), "_unsafe") {
			t.Errorf("%s imports unsafe but is not named *_unsafe*.go", s.path)
		}
	}
	if found == 0 {
		t.Error("no file imports unsafe")
	}
}

// within reports whether dir is parent or below it. Everything is within "".
func within(dir, parent string) bool {
	return parent == "" || dir == parent || strings.HasPrefix(dir, parent+"/")
}

func imports(s source) []string {
	var list []string
	for _, i := range s.file.Imports {
		if path, err := strconv.Unquote(i.Path.Value); err == nil {
			list = append(list, path)
		}
	}
	return list
}

// ours returns the packages of this module that s imports.
func ours(s source) []string {
	var list []string
	for _, path := range imports(s) {
		if rest, ok := strings.CutPrefix(path, module); ok {
			list = append(list, rest)
		}
	}
	return list
}
