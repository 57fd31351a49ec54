package main

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/inuse"
	"github.com/virtio-pmd/virtio-pmd/pci"
	"github.com/virtio-pmd/virtio-pmd/pci/sysfs"
	"github.com/virtio-pmd/virtio-pmd/pci/sysfs/sysfstest"
)

func TestBindAndRestore(t *testing.T) {
	ownNetwork(t)
	veth(t, "eth0")
	veth(t, "eth1")
	m := sysfstest.New(t, grouped(one, 1, "eth0"), grouped(two, 2, "eth1"))
	got := devbind(t, m, "bind", "00:03.0", two, one)
	want := one + ": virtio-pci -> vfio-pci\n" + two + ": virtio-pci -> vfio-pci\n"
	if got != (result{0, want, ""}) || m.Driver(one) != "vfio-pci" || m.Driver(two) != "vfio-pci" {
		t.Errorf("bind: %+v", got)
	}
	if got = devbind(t, m, "bind", one); got != (result{0, one + ": vfio-pci already\n", ""}) {
		t.Errorf("bind again: %+v", got)
	}
	if got = devbind(t, m, "restore", one); got != (result{0, one + ": vfio-pci -> virtio-pci\n", ""}) || m.Override(one) != "" {
		t.Errorf("restore: %+v", got)
	}
	if got = devbind(t, m, "unbind", two); got != (result{0, two + ": vfio-pci -> no driver\n", ""}) || m.Driver(two) != "" {
		t.Errorf("unbind: %+v", got)
	}
	if got = devbind(t, m, "restore", two); got != (result{0, two + ": no driver -> virtio-pci\n", ""}) {
		t.Errorf("restore without a driver: %+v", got)
	}
}

func TestDryRun(t *testing.T) {
	ownNetwork(t)
	veth(t, "eth0")
	f := grouped(two, 2)
	f.Driver, f.Override = "vfio-pci", "vfio-pci"
	m := sysfstest.New(t, grouped(one, 1, "eth0"), f)
	unchanged(t, m.Root, func() {
		got := devbind(t, m, "bind", one, two, "--dry-run")
		want := `# 0000:00:03.0: virtio-pci -> vfio-pci
echo 0000:00:03.0 > /sys/bus/pci/drivers/virtio-pci/unbind
echo vfio-pci > /sys/bus/pci/devices/0000:00:03.0/driver_override
echo 0000:00:03.0 > /sys/bus/pci/drivers/vfio-pci/bind
# 0000:00:04.0: vfio-pci already
`
		if got != (result{0, want, ""}) {
			t.Errorf("bind: %+v", got)
		}
		got = devbind(t, m, "restore", "-n", two)
		want = `# 0000:00:04.0: vfio-pci -> virtio-pci
echo 0000:00:04.0 > /sys/bus/pci/drivers/vfio-pci/unbind
echo > /sys/bus/pci/devices/0000:00:04.0/driver_override
echo 0000:00:04.0 > /sys/bus/pci/drivers/virtio-pci/bind
`
		if got != (result{0, want, ""}) {
			t.Errorf("restore: %+v", got)
		}
	})
}

func TestChangesJSON(t *testing.T) {
	f := sysfstest.Function{Address: one, Vendor: 0x8086, Device: 0x10d3, Class: 0x020000,
		Own: "e1000e", Driver: "vfio-pci", Override: "vfio-pci", Group: 1}
	m := sysfstest.New(t, f)
	for _, c := range []struct {
		to   string
		args []string
	}{{"(the kernel's choice)", []string{"restore", "--json", "--dry-run", one}}, {"e1000e", []string{"restore", "--json", one}}} {
		got := devbind(t, m, c.args...)
		var o changesObject
		if err := json.Unmarshal([]byte(got.stdout), &o); err != nil || got.status != 0 || got.stderr != "" {
			t.Fatalf("%v: %+v, %v", c.args, got, err)
		}
		if o.App != "devbind" || o.Command != "restore" || o.DryRun != (len(c.args) == 4) || len(o.Functions) != 1 {
			t.Errorf("%v: %+v", c.args, o)
		}
		change := o.Functions[0]
		if change.Address != one || change.From != "vfio-pci" || change.To != c.to || len(change.Writes) != 3 ||
			change.Writes[2].Path != "/sys/bus/pci/drivers_probe" || change.Writes[2].Value != one {
			t.Errorf("%v: %+v", c.args, change)
		}
	}
}

// Bad input: a message that names the value, a status that is not 0, nothing
// changed and nothing on standard output.
func TestRefuses(t *testing.T) {
	legacy := grouped("0000:00:05.0", 3)
	legacy.Device, legacy.Config = 0x1000, sysfstest.Config(0x1000, false)
	loop := grouped("0000:00:06.0", 4)
	loop.Device, loop.Config = 0x1000, sysfstest.Config(0x1000, true)
	loop.Config[0x71] = 0x98
	for _, f := range []*sysfstest.Function{&legacy, &loop} {
		f.Driver = ""
	}
	disk := sysfstest.Function{Address: "0000:00:07.0", Vendor: 0x1af4, Device: 0x1042, Class: 0x010000, Own: "virtio-pci", Driver: "virtio-pci", Group: 5}
	free, bare := grouped(one, 1), grouped(two, 0)
	free.Driver, bare.Driver = "", ""
	m := sysfstest.New(t, free, bare, legacy, loop, disk)
	for _, c := range []struct {
		args   string
		status int
		words  []string
	}{
		{"bind", 2, []string{"address"}},
		{"bind eth0", 2, []string{`"eth0"`, "0000:00:03.0"}},
		{"bind 00:03.8", 2, []string{`"00:03.8"`, "function"}},
		{"bind " + one + " --drive x", 2, []string{"drive"}},
		{"bing " + one, 2, []string{`"bing"`, "restore"}},
		{"status --bogus", 2, []string{"bogus"}},
		{"status 00:1f.0", 1, []string{"0000:00:1f.0", "status --all"}},
		{"bind 00:1f.0", 1, []string{"0000:00:1f.0", "status --all"}},
		{"restore 00:1f.0 --force", 1, []string{"0000:00:1f.0"}},
		{"bind " + one + " 00:1f.0", 1, []string{"0000:00:1f.0"}},
		{"bind " + one + " 00:07.0 00:05.0", 1, []string{"0000:00:07.0", "1af4:1042", "not a virtio network device", "0000:00:05.0", "legacy"}},
		{"unbind 00:07.0", 1, []string{"0000:00:07.0", "not a virtio network device", "--force"}},
		{"bind 00:05.0", 1, []string{"1af4:1000", "legacy", "disable-modern=off"}},
		{"bind 00:06.0", 1, []string{"0000:00:06.0", "loop", "0x71"}},
		{"bind " + one + " --driver vfio_pci", 1, []string{`"vfio_pci"`, `"vfio-pci"`}},
		{"bind " + one + " --driver uio_pci_generic", 1, []string{"modprobe uio_pci_generic"}},
		{"bind " + one + " --driver=../devices", 1, []string{`"../devices"`}},
		{"bind " + two, 1, []string{two, "no IOMMU group", "intel_iommu=on", "CONFIG_VFIO_NOIOMMU"}},
		{"bind --force " + one + " " + two, 1, []string{two, "no IOMMU group"}},
	} {
		unchanged(t, m.Root, func() {
			got := devbind(t, m, strings.Fields(c.args)...)
			if got.status != c.status || got.stdout != "" || !strings.HasPrefix(got.stderr, "devbind: ") {
				t.Errorf("%s: %+v", c.args, got)
			}
			for _, word := range c.words {
				if !strings.Contains(got.stderr, word) {
					t.Errorf("%s: %q is not in %s", c.args, word, got.stderr)
				}
			}
		})
	}
	m.RemoveDriver("vfio-pci")
	if got := devbind(t, m, "bind", one); got.status != 1 || !strings.Contains(got.stderr, "modprobe vfio-pci") {
		t.Errorf("vfio-pci not loaded: %+v", got)
	}
}

func TestForceTakesNeighbours(t *testing.T) {
	nic := sysfstest.Function{Address: two, Vendor: 0x8086, Device: 0x10d3, Class: 0x020000, Own: "e1000e", Driver: "e1000e", Group: 1}
	f := grouped(one, 1)
	f.Driver = ""
	m := sysfstest.New(t, f, nic)
	got := devbind(t, m, "bind", one)
	if got.status != 0 || !strings.Contains(got.stderr, two) || !strings.Contains(got.stderr, "e1000e") {
		t.Errorf("the neighbour is in the way: %+v", got)
	}
	got = devbind(t, m, "bind", two, "--force")
	if got.status != 0 || m.Driver(two) != "vfio-pci" || strings.Contains(got.stderr, "cannot be opened") {
		t.Errorf("the neighbour: %+v", got)
	}
}

// The kernel refuses the second of two functions: both are as before.
func TestFailureIsTakenBack(t *testing.T) {
	f, g := grouped(one, 1), grouped(two, 2)
	f.Driver, g.Driver = "", ""
	m := sysfstest.New(t, f, g)
	m.Refuse["/sys/bus/pci/devices/"+two+"/driver_override"] = syscall.EACCES
	got := devbind(t, m, "bind", one, two)
	if got.status != 1 || got.stdout != "" || !strings.Contains(got.stderr, "run as root") {
		t.Errorf("%+v", got)
	}
	for _, a := range []string{one, two} {
		if m.Driver(a) != "" || m.Override(a) != "" {
			t.Errorf("%s: driver %q, override %q", a, m.Driver(a), m.Override(a))
		}
	}
}

// What is lost is said before how to lose it: the use of a function before a driver that is not
// loaded or an IOMMU that is missing.
func TestUseComesFirst(t *testing.T) {
	ownNetwork(t)
	addAddress(t, veth(t, "eth0"), "10.1.0.1/24")
	addAddress(t, veth(t, "another"), "10.2.0.1/24")
	ssh := map[string]string{"SSH_CONNECTION": "10.1.0.77 5000 10.1.0.1 22"}
	for name, c := range map[string]struct {
		group  int
		loaded bool
		word   string
	}{
		"not loaded": {1, false, "modprobe vfio-pci"},
		"no IOMMU":   {0, true, "intel_iommu=on"},
	} {
		m := sysfstest.New(t, grouped(one, c.group, "another", "eth0"))
		if !c.loaded {
			m.RemoveDriver("vfio-pci")
		}
		unchanged(t, m.Root, func() {
			got := devbindIn(t, m, ssh, "bind", one)
			use, address := strings.Index(got.stderr, "eth0 carries this SSH connection"), strings.Index(got.stderr, "has the address")
			if how := strings.Index(got.stderr, c.word); got.status != 1 || use < 0 || address < use || how < address {
				t.Errorf("%s: %+v", name, got)
			}
			got = devbindIn(t, m, ssh, "bind", one, "--force")
			if got.status != 1 || strings.Contains(got.stderr, "in use") || !strings.Contains(got.stderr, c.word) {
				t.Errorf("%s, --force: %+v", name, got)
			}
		})
	}
}

func TestInUseIsASentinel(t *testing.T) {
	err := inUse(pci.Address{Device: 3}, []inuse.Reason{{Text: "eth0 has the address 10.1.0.1/24"}})
	if !errors.Is(err, sysfs.ErrInUse) || !strings.Contains(err.Error(), "eth0 has the address") {
		t.Errorf("got %v", err)
	}
	if err := checkVirtioNet(sysfs.Info{}); err == nil || errors.Is(err, sysfs.ErrInUse) {
		t.Errorf("got %v", err)
	}
}

// A dry run names the other members of the IOMMU group, and which of them are in the way.
func TestDryRunNamesTheGroup(t *testing.T) {
	f := grouped(one, 7)
	f.Driver = ""
	member := func(a, driver string, class uint32) sysfstest.Function {
		return sysfstest.Function{Address: a, Vendor: 0x8086, Device: 1, Class: class, Own: "x", Driver: driver, Group: 7}
	}
	m := sysfstest.New(t, f, member(two, "e1000e", 0x020000), member("0000:00:05.0", "", 0x020000),
		member("0000:00:06.0", "pcieport", 0x060400))
	unchanged(t, m.Root, func() {
		got := devbind(t, m, "bind", one, "--dry-run")
		want := "# " + one + ": no driver -> vfio-pci\n" +
			"# its IOMMU group also has " + two + " with e1000e: bind or unbind that too\n" +
			"# its IOMMU group also has 0000:00:05.0 with no driver\n" +
			"# its IOMMU group also has 0000:00:06.0 with pcieport\n" +
			"echo vfio-pci > " + oneDir + "/driver_override\n" +
			"echo " + one + " > /sys/bus/pci/drivers/vfio-pci/bind\n"
		if got != (result{0, want, ""}) {
			t.Errorf("got %+v\nwant %s", got, want)
		}
		// With the neighbour, nothing is in the way.
		got = devbind(t, m, "bind", one, two, "--dry-run", "--force")
		if got.status != 0 || strings.Contains(got.stdout, "that too") || !strings.Contains(got.stdout, two+" with vfio-pci\n") {
			t.Errorf("both: %+v", got)
		}
		got = devbind(t, m, "bind", one, "--dry-run", "--json")
		var o changesObject
		must(t, json.Unmarshal([]byte(got.stdout), &o))
		if members := o.Functions[0].GroupWith; len(members) != 3 || members[0] != (neighbour{two, "e1000e", true}) || members[2].Blocking {
			t.Errorf("JSON: %+v", members)
		}
	})
}

// On arm64 the group of a function appears when it is bound for the first time.
func TestBindWithLateGroup(t *testing.T) {
	f := grouped(one, 7)
	f.Driver, f.LateGroup = "", true
	m := sysfstest.New(t, f)
	if got := devbind(t, m, "bind", one, "--dry-run"); got.status != 0 || !strings.Contains(got.stdout, "# its IOMMU group is known when it is bound") {
		t.Errorf("dry run: %+v", got)
	}
	if got := devbind(t, m, "bind", one); got.status != 0 || m.Link(oneDir+"/iommu_group") != "7" {
		t.Errorf("%+v", got)
	}
}

// The options of dpdk-devbind.py, as people type them.
func TestFromDPDK(t *testing.T) {
	for in, want := range map[string]string{
		"devbind":                              "devbind",
		"devbind --help":                       "devbind --help",
		"devbind bind -b":                      "devbind bind -b",
		"devbind -s":                           "devbind status",
		"devbind --status --json":              "devbind status --json",
		"devbind --status-dev net":             "devbind status",
		"devbind --status-dev=all":             "devbind status --all",
		"devbind -b vfio-pci eth1 A":           "devbind bind --driver vfio-pci eth1 A",
		"devbind --force --bind=vfio-pci A":    "devbind bind --driver vfio-pci --force A",
		"devbind A -b igb_uio":                 "devbind bind --driver igb_uio A",
		"devbind --bind virtio-pci A":          "devbind restore --driver virtio-pci A",
		"devbind -b none A":                    "devbind unbind A",
		"devbind -u A B":                       "devbind unbind A B",
		"devbind --unbind A":                   "devbind unbind A",
		"devbind -b":                           `-b is followed by a driver`,
		"devbind -b 0000:00:03.0":              `"0000:00:03.0" is no driver`,
		"devbind --status-dev crypto":          "--all",
		"devbind -b vfio-pci --noiommu-mode A": "enable_unsafe_noiommu_mode",
		"devbind -b vfio-pci --uid=1000 A":     "chown",
		"devbind -l":                           "devbind status",
	} {
		got, err := fromDPDK(strings.Fields(in))
		if strings.HasPrefix(want, "devbind") && err == nil {
			if !reflect.DeepEqual(got, strings.Fields(want)) {
				t.Errorf("%s: %q", in, got)
			}
			continue
		}
		var usage *usageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v", in, got, err)
		}
	}
	m := sysfstest.New(t)
	if got := devbind(t, m, "-b", "00:03.0"); got.status != 2 {
		t.Errorf("%+v", got)
	}
}

func TestArrange(t *testing.T) {
	for in, want := range map[string]string{
		"devbind":                                    "devbind",
		"devbind --help":                             "devbind --help",
		"devbind bind A --driver x B -n":             "devbind bind --driver x -n A B",
		"devbind --root /r status --json A":          "devbind status --root /r --json A",
		"devbind bind --driver=x A":                  "devbind bind --driver=x A",
		"devbind bind A -- --driver":                 "devbind bind -- A --driver",
		"devbind bind A --driver":                    "devbind: --driver needs a value; devbind --help says more",
		"devbind restore A B --force --driver y --n": "devbind restore --force --driver y --n A B",
		"devbind bind A --forse":                     "devbind: unknown option --forse; did you mean --force? devbind --help says more",
	} {
		args, err := arrange(newApp(environment{}), strings.Fields(in))
		got := strings.Join(args, " ")
		if err != nil {
			got = "devbind: " + err.Error()
		}
		if got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}

// TestHelp: --help, help and no command print the same page, and that of each command can be
// asked for in two ways.
func TestHelp(t *testing.T) {
	m := sysfstest.New(t)
	page := devbind(t, m, "--help")
	if !strings.Contains(page.stdout, "devbind COMMAND [options] [FUNCTION...]") || page.status != 0 {
		t.Errorf("%+v", page)
	}
	for _, args := range [][]string{{"help"}, {"-h"}} {
		if got := devbind(t, m, args...); got != page {
			t.Errorf("%v: %+v", args, got)
		}
	}
	for _, name := range []string{"status", "bind", "unbind", "restore"} {
		got := devbind(t, m, "help", name)
		if got != devbind(t, m, name, "--help") || !strings.Contains(got.stdout, "devbind "+name+" [options] ") || got.status != 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for _, c := range []struct{ line, want string }{
		{"help me", `no help on "me": the commands are status, bind, unbind and restore`},
		{"bnd", `there is no command "bnd": use status, bind, unbind or restore`},
		{"status --force", "this command has no option --force"},
		{"-b", "-b is followed by a driver, then by functions: devbind -b vfio-pci 0000:00:03.0"},
	} {
		if got := devbind(t, m, strings.Fields(c.line)...); got.status != 2 || !strings.Contains(got.stderr, c.want) {
			t.Errorf("%s: %+v", c.line, got)
		}
	}
}
