package result

import (
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"
)

// tree makes a root directory with the given files.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestCollectHost(t *testing.T) {
	root := tree(t, map[string]string{
		"proc/cpuinfo":                "processor\t: 0\nmodel name\t: Example CPU @ 2.10GHz\nflags\t\t: fpu sse hypervisor\n",
		"proc/cmdline":                "console=ttyS0 nohz_full=2-3 quiet\n",
		"proc/meminfo":                "MemTotal:       16000000 kB\nMemFree: 1 kB\n",
		"proc/self/status":            "Name:\tx\nCpus_allowed:\tf\nCpus_allowed_list:\t1-3\n",
		"proc/sys/kernel/osrelease":   "6.1.0-41-amd64\n",
		"sys/class/dmi/id/sys_vendor": "QEMU\n", "sys/class/dmi/id/product_name": "Standard PC\n",
		"sys/devices/system/cpu/online":                                           "0-3\n",
		"sys/devices/system/cpu/isolated":                                         "\n",
		"sys/devices/system/cpu/smt/control":                                      "notsupported\n",
		"sys/devices/system/cpu/cpufreq/policy0/scaling_governor":                 "performance\n",
		"sys/devices/system/cpu/cpufreq/policy1/scaling_governor":                 "powersave\n",
		"sys/devices/system/cpu/cpufreq/policy2/scaling_governor":                 "performance\n",
		"sys/devices/system/cpu/vulnerabilities/meltdown":                         "Not affected\n",
		"sys/devices/system/cpu/vulnerabilities/spectre_v2":                       "Mitigation: Retpolines\n",
		"sys/devices/system/node/node0/cpulist":                                   "0-1\n",
		"sys/devices/system/node/node0/meminfo":                                   "Node 0 MemTotal:        8000000 kB\n",
		"sys/devices/system/node/node10/cpulist":                                  "2-3\n",
		"sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages":   "512\n",
		"sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages": "500\n",
		"sys/devices/system/clocksource/clocksource0/current_clocksource":         "tsc\n",
	})
	want := Host{
		CPUModel: "Example CPU @ 2.10GHz", CPUs: "0-3", Governor: "performance, powersave", SMT: "notsupported",
		IsolCPUs: "none", NoHzFull: "2-3", CPUSet: "1-3",
		NUMANodes: []NUMANode{{0, "0-1", 8000000 << 10}, {10, "2-3", 0}},
		Hugepages: []Hugepages{{0, 2 << 20, 512, 500}},
		Kernel:    "6.1.0-41-amd64", KernelLine: "console=ttyS0 nohz_full=2-3 quiet", Hypervisor: "QEMU Standard PC",
		Clocksource: "tsc", Memory: 16000000 << 10,
		Mitigations: []Mitigation{{"meltdown", "Not affected"}, {"spectre_v2", "Mitigation: Retpolines"}},
	}
	if got := CollectHost(root); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestCollectHostOfNothing: what cannot be read is said to be unknown, nothing is left out.
func TestCollectHostOfNothing(t *testing.T) {
	h := CollectHost(t.TempDir())
	v := reflect.ValueOf(h)
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.String && f.String() != Unknown {
			t.Errorf("%s is %q", v.Type().Field(i).Name, f)
		}
	}
	if got := strings.Join(h.Unread, " "); got != "numa_nodes hugepages mitigations" {
		t.Errorf("unread: %s", got)
	}
}

func TestHypervisor(t *testing.T) {
	for want, files := range map[string]map[string]string{
		"none":    {"proc/cpuinfo": "flags\t: fpu\n", "sys/class/dmi/id/sys_vendor": "Example"},
		"unnamed": {"proc/cpuinfo": "flags\t: fpu hypervisor\n"},
		"xen":     {"sys/hypervisor/type": "xen\n"},
		"QEMU":    {"proc/cpuinfo": "Features\t: fp asimd\n", "sys/class/dmi/id/sys_vendor": "QEMU"},
		"KVM":     {"proc/cpuinfo": "flags\t: hypervisor\n", "sys/class/dmi/id/product_name": "KVM"},
	} {
		if got := CollectHost(tree(t, files)).Hypervisor; got != want {
			t.Errorf("%v: %q", files, got)
		}
	}
}

func TestHostWithoutNUMA(t *testing.T) {
	h := CollectHost(tree(t, map[string]string{
		"proc/cpuinfo":                     "CPU implementer\t: 0x41\nCPU part\t: 0xd0c\n",
		"sys/devices/system/cpu/nohz_full": "(null)\n",
		"sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages": "2\n",
	}))
	if h.CPUModel != "implementer 0x41, part 0xd0c" || h.NoHzFull != "none" || h.IsolCPUs != Unknown {
		t.Errorf("CPU %q, nohz_full %q, isolcpus %q", h.CPUModel, h.NoHzFull, h.IsolCPUs)
	}
	if want := []Hugepages{{-1, 1 << 30, 2, 0}}; !reflect.DeepEqual(h.Hugepages, want) {
		t.Errorf("hugepages %+v", h.Hugepages)
	}
}

// TestCollectThisHost: the machine of the tests has what Linux always has.
func TestCollectThisHost(t *testing.T) {
	h := CollectHost("/")
	for name, value := range map[string]string{"CPUs": h.CPUs, "CPU set": h.CPUSet, "kernel": h.Kernel} {
		if value == Unknown {
			t.Errorf("the %s could not be read", name)
		}
	}
	if h.Memory < 64<<20 {
		t.Errorf("%d bytes of memory", h.Memory)
	}
}

func TestNewIdentity(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(150))
	before := time.Now()
	id := NewIdentity("pktgen", []string{"pktgen", "--duration", "5s"})
	id.SetScenario("a.yaml", []byte("abc"))
	const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	if id.Tool != "pktgen" || id.Version == "" || id.Commit == "" || id.GoVersion != runtime.Version() ||
		id.GOMAXPROCS != runtime.GOMAXPROCS(0) || id.GOGC != "150" || len(id.CommandLine) != 3 ||
		id.ScenarioName != "a.yaml" || id.ScenarioSHA256 != abc || id.Start.Before(before) || id.Start.Location() != time.UTC {
		t.Errorf("%+v", id)
	}
	debug.SetGCPercent(-1)
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(1 << 33))
	id = NewIdentity("pktgen", nil)
	if id.GOGC != "off" || id.GOMEMLIMIT != strconv.Itoa(1<<33) {
		t.Errorf("GOGC %s, GOMEMLIMIT %s", id.GOGC, id.GOMEMLIMIT)
	}
}

func TestCommit(t *testing.T) {
	settings := []debug.BuildSetting{{Key: "vcs.revision", Value: "0123abcd"}, {Key: "vcs.modified", Value: "true"}}
	for want, info := range map[string]*debug.BuildInfo{
		"0123abcd+modified": {Settings: settings}, "0123abcd": {Settings: settings[:1]}, Unknown: {},
	} {
		if got := commit(info, true); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
	if got := commit(nil, false); got != Unknown {
		t.Errorf("without build information: %q", got)
	}
}
