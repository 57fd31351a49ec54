package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/pci/sysfs/sysfstest"
)

const oneFormer = formerDir + "/" + one

func exists(m *sysfstest.Machine, path string) bool {
	_, err := os.Lstat(filepath.Join(m.Root, path))
	return err == nil
}

// restore gives a function back to the driver that it had, which is not the one that the kernel
// would choose, however often it was bound to others in between.
func TestRestoreRemembersTheDriver(t *testing.T) {
	for name, override := range map[string]string{"by its ids": "", "by override": "r8168"} {
		t.Run(name, func(t *testing.T) {
			f := sysfstest.Function{Address: one, Vendor: 0x10ec, Device: 0x8168, Class: 0x020000,
				Own: "r8169", Driver: "r8168", Override: override, Group: 1}
			if override == "" {
				f.Own = "r8168"
			}
			m := sysfstest.New(t, f)
			m.AddDriver("uio_pci_generic")
			m.AddDriver("r8169")
			for _, args := range [][]string{{"bind", "--force", one}, {"bind", "--force", one, "--driver", "uio_pci_generic"},
				{"unbind", "--force", one}, {"bind", "--force", one}} {
				if got := devbind(t, m, args...); got.status != 0 {
					t.Fatalf("%v: %+v", args, got)
				}
			}
			got := devbind(t, m, "restore", one)
			if got != (result{0, one + ": vfio-pci -> r8168\n", ""}) || m.Override(one) != override {
				t.Errorf("%+v, override %q", got, m.Override(one))
			}
			if exists(m, oneFormer) {
				t.Error("the former driver is still stored")
			}
		})
	}
}

// What is stored counts only for the function that it is about, and as far as it can be read.
func TestFormerDriverThatDoesNotCount(t *testing.T) {
	for name, c := range map[string]struct {
		text, warning string
	}{
		"cut off":         {`{"driver":"vi`, "unexpected end of JSON input"},
		"empty":           {"", "unexpected end of JSON input"},
		"without a name":  {`{"vendor":6900,"device":4161}`, "it names no driver"},
		"another device":  {`{"driver":"nvme","vendor":32902,"device":4161}`, ""},
		"the driver left": {`{"driver":"gone","vendor":6900,"device":4161}`, "modprobe gone"},
	} {
		f := grouped(one, 1)
		f.Driver, f.Override = "vfio-pci", "vfio-pci"
		m := sysfstest.New(t, f)
		m.Put(oneFormer, c.text)
		got := devbind(t, m, "restore", one)
		refused := name == "the driver left"
		if !strings.Contains(got.stderr, c.warning) || (got.stderr != "") != (c.warning != "") {
			t.Errorf("%s: %+v", name, got)
		}
		if refused != (got.status == 1) || refused != exists(m, oneFormer) || refused != (m.Driver(one) == "vfio-pci") {
			t.Errorf("%s: %+v, driver %s", name, got, m.Driver(one))
		}
		if refused {
			got = devbind(t, m, "restore", one, "--driver", "virtio-pci")
			if got.status != 0 || exists(m, oneFormer) {
				t.Errorf("%s, with another: %+v", name, got)
			}
		}
	}
}

// The driver is stored before anything is written, and forgotten when that fails.
func TestFormerDriverIsStoredFirst(t *testing.T) {
	ownNetwork(t)
	veth(t, "eth0")
	m := sysfstest.New(t, grouped(one, 1, "eth0"))
	devbind(t, m, "bind", one, "--dry-run")
	if exists(m, oneFormer) {
		t.Error("a dry run stored the driver")
	}
	machine := m.FS()
	stored := false
	machine.WriteFile = func(path, value string) error {
		stored = exists(m, oneFormer)
		return m.WriteFile(path, value)
	}
	m.Refuse["/sys/bus/pci/drivers/vfio-pci/bind"] = syscall.EIO
	var out, errs strings.Builder
	env := environment{fs: machine, stdout: &out, stderr: &errs, getenv: func(string) string { return "" }}
	if status := run(t.Context(), []string{"devbind", "bind", one}, env); status != 1 || !stored || exists(m, oneFormer) {
		t.Errorf("status %d, stored before %v, after %v\n%s", status, stored, exists(m, oneFormer), errs.String())
	}
}

// A function is known by the interface that it has, and by the one that it had.
func TestInterfaceNames(t *testing.T) {
	ownNetwork(t)
	veth(t, "eth0")
	veth(t, "eth1")
	m := sysfstest.New(t, grouped(one, 1, "eth0"), grouped(two, 2, "eth1"))
	for _, c := range []struct{ args, want string }{
		{"bind eth1 " + two, two + ": virtio-pci -> vfio-pci\n"},
		{"bind eth0 --dry-run --json", ""},
		{"restore eth1", two + ": vfio-pci -> virtio-pci\n"},
		{"unbind eth1", two + ": virtio-pci -> no driver\n"},
		{"restore eth1", two + ": no driver -> virtio-pci\n"},
	} {
		got := devbind(t, m, strings.Fields(c.args)...)
		if got.status != 0 || got.stderr != "" || c.want != "" && got.stdout != c.want {
			t.Errorf("%s: %+v", c.args, got)
		}
	}
	if got := devbind(t, m, "status", "eth1"); strings.Count(got.stdout, "\n") != 2 || !strings.Contains(got.stdout, two) {
		t.Errorf("status: %+v", got)
	}
}

// bind --persist writes a rule that udev can run, and restore and unbind remove it.
func TestPersist(t *testing.T) {
	ownNetwork(t)
	for _, end := range []string{"restore", "unbind"} {
		f := grouped(one, 1)
		f.Driver = ""
		m := sysfstest.New(t, f)
		file := "/etc/udev/rules.d/82-virtio-pmd-" + one + ".rules"
		got := devbind(t, m, "bind", one, "--persist")
		if got.status != 1 || !strings.Contains(got.stderr, "no udev") || m.Driver(one) != "" {
			t.Errorf("without udev: %+v", got)
		}
		m.Put("/etc/udev/udev.conf", "")
		unchanged(t, m.Root, func() {
			got = devbind(t, m, "bind", one, "--persist", "--dry-run")
			if got.status != 0 || !strings.Contains(got.stdout, "cat > "+file) || !strings.Contains(got.stdout, "\nACTION==") {
				t.Errorf("dry run: %+v", got)
			}
		})
		m.Refuse["/sys/bus/pci/drivers/vfio-pci/bind"] = syscall.EIO
		if got = devbind(t, m, "bind", one, "--persist"); got.status != 1 || exists(m, file) {
			t.Errorf("failed: %+v", got)
		}
		delete(m.Refuse, "/sys/bus/pci/drivers/vfio-pci/bind")
		for range 2 { // the second time for a function that is bound already
			if got = devbind(t, m, "bind", one, "--persist"); got.status != 0 || !strings.Contains(got.stdout, "wrote "+file) || !exists(m, file) {
				t.Errorf("bind: %+v", got)
			}
		}
		if got = devbind(t, m, "status", "--json"); !strings.Contains(got.stdout, `"persistent": true`) {
			t.Errorf("status: %+v", got)
		}
		runRule(t, m, file)
		if got = devbind(t, m, end, one, "--dry-run"); !strings.Contains(got.stdout, "rm "+file) || !exists(m, file) {
			t.Errorf("%s, dry run: %+v", end, got)
		}
		if got = devbind(t, m, end, one); got.status != 0 || !strings.Contains(got.stdout, "removed "+file) || exists(m, file) {
			t.Errorf("%s: %+v", end, got)
		}
	}
}

// runRule has the shell run what the rule says, on the machine's files, as when the machine has
// started: with the kernel's driver.
func runRule(t *testing.T, m *sysfstest.Machine, file string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(m.Root, file))
	must(t, err)
	_, line, _ := strings.Cut(string(text), "\n")
	for _, match := range []string{`KERNEL=="` + one + `"`, `ATTR{vendor}=="0x1af4"`, `ATTR{device}=="0x1041"`, `DRIVER!="vfio-pci"`} {
		if !strings.Contains(line, match) {
			t.Errorf("%s is not in %s", match, line)
		}
	}
	_, script, ok := strings.Cut(line, `RUN+="/bin/sh -c '`)
	script, _, end := strings.Cut(script, `'"`)
	if !ok || !end || strings.ContainsAny(script, `"$%`) {
		t.Fatalf("the rule runs %q", line)
	}
	start := sysfstest.New(t, grouped(one, 1))
	script = strings.ReplaceAll(script, "/sys/", start.Root+"/sys/")
	if out, err := exec.Command("/bin/sh", "-c", "modprobe() { :; }; "+script).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, script)
	}
	for path, want := range map[string]string{
		oneDir + "/driver_override":              "vfio-pci\n",
		"/sys/bus/pci/drivers/virtio-pci/unbind": one + "\n",
		"/sys/bus/pci/drivers_probe":             one + "\n",
	} {
		if got, err := os.ReadFile(filepath.Join(start.Root, path)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
}
