package sysfs_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/pci"
	"github.com/virtio-pmd/virtio-pmd/pci/sysfs"
	"github.com/virtio-pmd/virtio-pmd/pci/sysfs/sysfstest"
)

func address(t *testing.T, s string) pci.Address {
	t.Helper()
	a, err := pci.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestFunction(t *testing.T) {
	f := sysfstest.VirtioNet("0000:00:03.0", 0x1041, "eth1", "eth0")
	f.NUMANode, f.Group, f.Override = 1, 5, "virtio-pci"
	sibling := sysfstest.VirtioNet("0000:00:03.1", 0x1041)
	sibling.Group = 5
	m := sysfstest.New(t, f, sibling)

	got, err := m.FS().Function(address(t, "0000:00:03.0"))
	want := sysfs.Info{
		Address: pci.Address{Device: 3}, Vendor: 0x1af4, Device: 0x1041,
		SubVendor: 0x1af4, SubDevice: 0x1100, Revision: 1, Class: 0x020000,
		Driver: "virtio-pci", Override: "virtio-pci",
		Netdevs: []string{"eth0", "eth1"}, Virtio: "virtio0", VirtioDriver: "virtio_net", NUMANode: 1,
		Group: &sysfs.Group{Number: 5, Members: []pci.Address{{Device: 3}, {Device: 3, Function: 1}}},
		Kind:  sysfs.Modern,
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, %v\nwant %+v", got, err, want)
	}
	if !got.VirtioNet() || !got.Network() || got.Hidden() {
		t.Errorf("virtio-net %v, network %v, hidden %v", got.VirtioNet(), got.Network(), got.Hidden())
	}
}

func TestFunctionHiddenInterface(t *testing.T) {
	m := sysfstest.New(t, sysfstest.VirtioNet("0000:00:03.0", 0x1041))
	got, err := m.FS().Function(address(t, "00:03.0"))
	if err != nil || !got.Hidden() {
		t.Errorf("a virtio_net device without an interface: %+v, %v", got, err)
	}
}

func TestFunctionMissing(t *testing.T) {
	m := sysfstest.New(t)
	_, err := m.FS().Function(address(t, "00:1f.7"))
	var missing *sysfs.Error
	if !errors.As(err, &missing) || !errors.Is(err, fs.ErrNotExist) ||
		missing.Device != "0000:00:1f.7" {
		t.Errorf("got %v", err)
	}
}

func TestFunctionsInOrder(t *testing.T) {
	m := sysfstest.New(t, sysfstest.VirtioNet("10000:00:00.0", 0x1041),
		sysfstest.VirtioNet("0000:00:10.0", 0x1041),
		sysfstest.VirtioNet("0000:00:03.0", 0x1000))
	m.Put("/sys/bus/pci/devices/unknown/vendor", "0x1af4")
	all, err := m.FS().Functions()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, i := range all {
		got = append(got, i.Address.String())
	}
	if !reflect.DeepEqual(got, []string{"0000:00:03.0", "0000:00:10.0", "10000:00:00.0"}) {
		t.Errorf("got %v", got)
	}
}

func TestNoPCIAtAll(t *testing.T) {
	all, err := sysfs.FS{Root: t.TempDir()}.Functions()
	if err != nil || all != nil {
		t.Errorf("got %v, %v", all, err)
	}
}

func TestFunctionBadFile(t *testing.T) {
	m := sysfstest.New(t, sysfstest.VirtioNet("0000:00:03.0", 0x1041))
	for path, value := range map[string]string{"vendor": "0x1af4f", "class": "net",
		"numa_node": "near"} {
		file := "/sys/bus/pci/devices/0000:00:03.0/" + path
		before, err := os.ReadFile(filepath.Join(m.Root, file))
		if err != nil {
			t.Fatal(err)
		}
		m.Put(file, value)
		_, err = m.FS().Function(address(t, "00:03.0"))
		var wrong *sysfs.Error
		if !errors.As(err, &wrong) || wrong.Op != "read" || wrong.Device != file || wrong.Value != value {
			t.Errorf("%s: %v", path, err)
		}
		m.Put(file, string(before))
	}
}

func TestKind(t *testing.T) {
	modern := func(device uint16) []byte { return sysfstest.Config(device, true) }
	legacy := func(device uint16) []byte { return sysfstest.Config(device, false) }
	loop := modern(0x1000)
	loop[0x71] = 0x98
	for name, c := range map[string]struct {
		vendor, device uint16
		config         []byte
		want           sysfs.Kind
		fault          any
	}{
		"modern":                     {0x1af4, 0x1041, modern(0x1041), sysfs.Modern, nil},
		"modern, unprivileged":       {0x1af4, 0x1041, modern(0x1041)[:64], sysfs.Modern, nil},
		"modern disk":                {0x1af4, 0x1042, modern(0x1042), sysfs.Modern, nil},
		"transitional":               {0x1af4, 0x1000, modern(0x1000), sysfs.Transitional, nil},
		"legacy":                     {0x1af4, 0x1000, legacy(0x1000), sysfs.Legacy, nil},
		"transitional, unprivileged": {0x1af4, 0x1000, modern(0x1000)[:64], sysfs.Unclear, nil},
		"loop":                       {0x1af4, 0x1000, loop, sysfs.Transitional, new(*pci.Error)},
		"ivshmem":                    {0x1af4, 0x1110, legacy(0x1110), sysfs.NotVirtio, nil},
		"another vendor":             {0x8086, 0x1041, modern(0x1041), sysfs.NotVirtio, nil},
	} {
		f := sysfstest.VirtioNet("0000:00:03.0", c.device)
		f.Vendor, f.Config = c.vendor, c.config
		if c.fault != nil {
			c.want = sysfs.Unclear
		}
		got, err := sysfstest.New(t, f).FS().Function(address(t, "00:03.0"))
		if err != nil || got.Kind != c.want {
			t.Errorf("%s: %q, %v; want %q", name, got.Kind, err, c.want)
		}
		if c.fault == nil && got.Fault != nil || c.fault != nil && !errors.As(got.Fault, c.fault) {
			t.Errorf("%s: fault %v", name, got.Fault)
		}
	}
}

func TestBlockingMembers(t *testing.T) {
	one := func(a, driver string, class uint32) sysfstest.Function {
		return sysfstest.Function{Address: a, Vendor: 0x8086, Device: 1, Class: class, Own: "own",
			Driver: driver, Group: 9}
	}
	m := sysfstest.New(t,
		one("0000:00:03.0", "vfio-pci", 0x020000), one("0000:00:03.1", "e1000e", 0x020000),
		one("0000:00:03.2", "", 0x020000), one("0000:00:03.3", "vfio-pci", 0x020000),
		one("0000:00:03.4", "pcieport", 0x060400), one("0000:00:03.5", "pci-stub", 0x010000),
		one("0000:00:03.6", "nvme", 0x010802))
	info, err := m.FS().Function(address(t, "00:03.0"))
	if err != nil {
		t.Fatal(err)
	}
	blocking, err := m.FS().Blocking(info)
	if err != nil || len(blocking) != 2 || blocking[0].Driver != "e1000e" ||
		blocking[1].Driver != "nvme" {
		t.Errorf("got %+v, %v", blocking, err)
	}
	if others := info.Group.Others(info.Address); len(others) != 6 {
		t.Errorf("others: %v", others)
	}
	var none *sysfs.Group
	if none.Others(info.Address) != nil {
		t.Error("no group has members")
	}
}

func TestNodes(t *testing.T) {
	f := isolated(one, 12)
	f.Driver = "vfio-pci"
	m := sysfstest.New(t, f, isolated(two, 13))
	for a, want := range map[string][]string{one: {"/dev/vfio/12"}, two: nil} {
		info, err := m.FS().Function(address(t, a))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := m.FS().Nodes(info); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, %v", a, got, err)
		}
		if info.UserDriver() != (want != nil) {
			t.Errorf("%s: user driver %v", a, info.UserDriver())
		}
	}
	m.Put("/sys/kernel/iommu_groups/12/name", "vfio-noiommu\n")
	m.Put("/sys/bus/pci/devices/"+one+"/vfio-dev/vfio3/dev", "511:3\n")
	info, err := m.FS().Function(address(t, one))
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.FS().Nodes(info)
	if err != nil || !reflect.DeepEqual(got, []string{"/dev/vfio/noiommu-12",
		"/dev/vfio/devices/vfio3"}) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestNodesOfOtherDrivers(t *testing.T) {
	m := sysfstest.New(t, isolated(one, 12))
	dir := "/sys/bus/pci/devices/" + one
	m.Put(dir+"/uio/uio4/name", "uio_pci_generic\n")
	m.Put(dir+"/vdpa2/vhost-vdpa-7/dev", "511:7\n")
	m.Put(dir+"/vdpa2/power/control", "on\n")
	info, err := m.FS().Function(address(t, one))
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.FS().Nodes(info)
	if err != nil || !reflect.DeepEqual(got, []string{"/dev/uio4", "/dev/vhost-vdpa-7"}) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestVirtualFunctions(t *testing.T) {
	m := sysfstest.New(t, isolated(one, 12))
	for name, target := range map[string]string{"virtfn1": "../0000:00:03.2",
		"virtfn0": "../0000:00:03.1"} {
		if err := os.Symlink(target, filepath.Join(m.Root, "/sys/bus/pci/devices", one, name)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := m.FS().Function(address(t, one))
	want := []pci.Address{{Device: 3, Function: 1}, {Device: 3, Function: 2}}
	if err != nil || !reflect.DeepEqual(got.VFs, want) {
		t.Errorf("got %v, %v", got.VFs, err)
	}
}

func TestByNetdev(t *testing.T) {
	m := sysfstest.New(t, sysfstest.VirtioNet(one, 0x1041, "eth0"),
		sysfstest.Function{Address: two, Vendor: 0x8086, Own: "e1000e", Driver: "e1000e",
			Netdevs: []string{"eno1"}})
	for name, want := range map[string]string{"eth0": one, "eno1": two} {
		if got, err := m.FS().ByNetdev(name); err != nil || got != address(t, want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := m.FS().ByNetdev("eth9"); !errors.Is(err, fs.ErrNotExist) ||
		!strings.Contains(err.Error(), `"eth9"`) {
		t.Errorf("got %v", err)
	}
}

func TestUppers(t *testing.T) {
	m := sysfstest.New(t)
	for _, name := range []string{"address", "lower_x", "upper_br0", "upper_eth0.5"} {
		m.Put("/sys/class/net/eth0/"+name+"/ifindex", "1\n")
	}
	got, err := m.FS().Uppers("eth0")
	if err != nil || !reflect.DeepEqual(got, []string{"br0", "eth0.5"}) {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := m.FS().Uppers("eth1"); err != nil || got != nil {
		t.Errorf("no such interface: %v, %v", got, err)
	}
}
