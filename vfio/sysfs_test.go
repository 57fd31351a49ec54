package vfio

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// machine is a tree with the parts of sys and dev that Open reads.
type machine struct {
	t    *testing.T
	root string
}

// function adds a PCI function with a driver in an IOMMU group, "" for none.
func (m machine) function(address, driver, group string) {
	m.t.Helper()
	device := filepath.Join(m.root, "sys/devices/pci0000:00", address)
	m.mkdir(device)
	m.link(device, "sys/bus/pci/devices", address)
	if driver != "" {
		m.mkdir(filepath.Join(m.root, "sys/bus/pci/drivers", driver))
		m.link(filepath.Join(m.root, "sys/bus/pci/drivers", driver), "sys/devices/pci0000:00/"+address,
			"driver")
	}
	if group != "" {
		dir := filepath.Join(m.root, "sys/kernel/iommu_groups", group)
		m.mkdir(filepath.Join(dir, "devices"))
		m.link(dir, "sys/devices/pci0000:00/"+address, "iommu_group")
		m.link(device, "sys/kernel/iommu_groups/"+group+"/devices", address)
	}
}

func (m machine) mkdir(path string) {
	m.t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		m.t.Fatal(err)
	}
}

// link makes dir/name point to target, as sysfs does: with a relative path.
func (m machine) link(target, dir, name string) {
	m.t.Helper()
	from := filepath.Join(m.root, dir)
	m.mkdir(from)
	rel, err := filepath.Rel(from, target)
	if err != nil {
		m.t.Fatal(err)
	}
	if err := os.Symlink(rel, filepath.Join(from, name)); err != nil {
		m.t.Fatal(err)
	}
}

func (m machine) file(path, text string) {
	m.t.Helper()
	path = filepath.Join(m.root, path)
	m.mkdir(filepath.Dir(path))
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func TestFind(t *testing.T) {
	m := machine{t, t.TempDir()}
	m.function("0000:00:03.0", "vfio-pci", "7")
	m.function("0000:00:04.0", "", "")
	m.function("0000:00:05.0", "virtio_vfio_pci", "0")
	m.file("sys/kernel/iommu_groups/0/name", "vfio-noiommu\n")
	for address, want := range map[string]location{
		"0000:00:03.0": {driver: "vfio-pci", group: 7},
		"0000:00:04.0": {group: -1},
		"0000:00:05.0": {driver: "virtio_vfio_pci", group: 0, noIOMMU: true},
	} {
		if got, err := find(m.root, address); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", address, got, err, want)
		}
	}
}

func TestMembers(t *testing.T) {
	m := machine{t, t.TempDir()}
	m.function("0000:00:03.1", "e1000e", "7")
	m.function("0000:00:03.0", "vfio-pci", "7")
	m.function("0000:00:03.2", "", "7")
	m.function("0000:00:04.0", "nvme", "8")
	got, err := members(m.root, 7)
	want := []member{{"0000:00:03.0", "vfio-pci"}, {"0000:00:03.1", "e1000e"}, {"0000:00:03.2", ""}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func TestOpenRefusals(t *testing.T) {
	m := machine{t, t.TempDir()}
	m.function("0000:00:02.0", "virtio-pci", "2")
	m.function("0000:00:03.0", "", "3")
	m.function("0000:00:04.0", "vfio-pci", "")
	m.function("0000:00:05.0", "vfio-pci", "5") // in no-IOMMU mode
	m.file("sys/kernel/iommu_groups/5/name", "vfio-noiommu\n")
	m.function("0000:00:06.0", "vfio-pci", "6")
	m.function("0000:00:07.0", "vfio-pci", "7") // its node is an ordinary file
	m.file("dev/vfio/7", "")

	var notBound *NotBoundError
	var wrong *Error
	for _, c := range []struct {
		device  uint8
		options Options
		want    any
		is      error
		text    []string
	}{
		{1, Options{}, &wrong, fs.ErrNotExist, []string{"0000:00:01.0", "lspci -D"}},
		{2, Options{}, &notBound, nil,
			[]string{"has the driver virtio-pci", "devbind bind 0000:00:02.0"}},
		{3, Options{}, &notBound, nil, []string{"has no driver", "devbind bind 0000:00:03.0"}},
		{4, Options{}, &wrong, errors.ErrUnsupported,
			[]string{"in no IOMMU group", "intel_iommu=on", "enable_unsafe_noiommu_mode"}},
		{4, Options{NoIOMMU: true}, &wrong, errors.ErrUnsupported,
			[]string{"in no IOMMU group", "enable_unsafe_noiommu_mode"}},
		{5, Options{}, &wrong, errors.ErrUnsupported,
			[]string{"could write to all of memory", "noiommu=1"}},
		{5, Options{NoIOMMU: true}, &wrong, fs.ErrNotExist,
			[]string{"open " + m.root + "/dev/vfio/noiommu-5", "container"}},
		{6, Options{}, &wrong, fs.ErrNotExist, []string{"open " + m.root + "/dev/vfio/6", "container"}},
		{7, Options{}, &wrong, unix.ENOTTY, []string{"VFIO_GROUP_GET_STATUS", "inappropriate ioctl"}},
	} {
		c.options.Root = m.root
		f, err := Open(pci.Address{Device: c.device}, c.options)
		if err == nil {
			f.Close()
			t.Errorf("device %d %+v: opened", c.device, c.options)
			continue
		}
		if !errors.As(err, c.want) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("device %d %+v: %T %v, want %T and %v", c.device, c.options, err, err, c.want, c.is)
		}
		for _, text := range c.text {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("device %d: %q lacks %q", c.device, err, text)
			}
		}
	}
}

// Containers are given the no-IOMMU node under the name without the prefix.
func TestNoIOMMUNodeUnderAnotherName(t *testing.T) {
	m := machine{t, t.TempDir()}
	m.file("dev/vfio/5", "")
	file, err := openGroup(m.root, location{group: 5, noIOMMU: true})
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	m.file("dev/vfio/noiommu-5", "")
	if file, err = openGroup(m.root, location{group: 5, noIOMMU: true}); err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if filepath.Base(file.Name()) != "noiommu-5" {
		t.Errorf("opened %s though there is noiommu-5", file.Name())
	}
}

func TestContainerThatCannotBeOpened(t *testing.T) {
	var open *Error
	_, err := openContainer(t.TempDir())
	if !errors.As(err, &open) || open.Op != "open" || !errors.Is(err, unix.ENOENT) ||
		!strings.Contains(open.Remedy, "modprobe vfio-pci") {
		t.Errorf("got %v, want an *Error that says to load vfio-pci", err)
	}
}

func TestNotViableListsMembersAndTheCommand(t *testing.T) {
	err := notViableError(7, []member{{"0000:00:03.0", "vfio-pci"}, {"0000:00:03.1", "e1000e"},
		{"0000:00:03.2", ""}, {"0000:00:1c.0", "pcieport"}, {"0000:00:03.3", "nvme"}})
	if !errors.Is(err, ErrInUse) {
		t.Errorf("%v is not ErrInUse", err)
	}
	for _, want := range []string{"IOMMU group 7", "0000:00:03.0 (vfio-pci)", "0000:00:03.1 (e1000e)",
		"0000:00:03.2 (no driver)"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
	if want := "devbind bind 0000:00:03.1 0000:00:03.3"; !strings.HasSuffix(err.Error(), want) {
		t.Errorf("%q does not end with %q", err, want)
	}
}

// What a function is used for comes before the command that would end it.
func TestNotBoundSaysTheUseFirst(t *testing.T) {
	e := &NotBoundError{Address: "0000:00:03.0", Driver: "virtio-pci", Netdevs: []string{"eth0"}}
	if errors.Is(e, ErrInUse) || !strings.Contains(e.Error(), "virtio-pci (interface eth0)") {
		t.Errorf("%v", e)
	}
	e.InUse = []string{"eth0 carries this SSH connection", "eth0 has the address 192.0.2.1/24"}
	text := e.Error()
	use, command := strings.Index(text, e.InUse[0]), strings.Index(text, "devbind bind")
	if !errors.Is(e, ErrInUse) || use < 0 || command < use || !strings.Contains(text, e.InUse[1]) {
		t.Errorf("%s", text)
	}
}

func TestInUse(t *testing.T) {
	for name, c := range map[string]struct {
		err  *Error
		want bool
	}{
		"open elsewhere":  {busyError(7, "/dev/vfio/7"), true},
		"EBUSY":           {&Error{Op: setContainer.String(), Err: unix.EBUSY}, true},
		"another refusal": {&Error{Op: setContainer.String(), Err: unix.EPERM}, false},
		"without a cause": {&Error{Op: "open", Reason: "x"}, false},
		"EBUSY further down": {
			resetError("0000:00:03.0", &Error{Op: resetDevice.String(), Err: unix.EBUSY}), true},
	} {
		if got := errors.Is(c.err, ErrInUse); got != c.want {
			t.Errorf("%s: %v; want %v", name, got, c.want)
		}
	}
	if text := busyError(7, "/dev/vfio/7").Error(); !strings.Contains(text, "IOMMU group 7") ||
		!strings.Contains(text, "fuser -v /dev/vfio/7") {
		t.Errorf("%q", text)
	}
}
