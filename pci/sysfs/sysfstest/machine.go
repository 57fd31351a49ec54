// Package sysfstest creates machines for tests: a temporary directory with the layout of sysfs, and
// a model of how the kernel reacts to writes to it.
//
// The model implements what the kernel does with bind, unbind, driver_override and drivers_probe.
// The tests of test/vm run the same writes on real kernels.
package sysfstest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/pci/sysfs"
)

// Function describes a PCI function of a machine.
type Function struct {
	Address        string // "0000:00:03.0"
	Vendor, Device uint16
	Class          uint32
	// Own is the driver that knows the function's ids: the only one that the kernel binds it to
	// without an override.
	Own string
	// Driver is bound to the function at the start, "" for none.
	Driver   string
	Override string
	Netdevs  []string // interfaces it has while Own has it
	NUMANode int
	Group    int // IOMMU group, 0 for none
	// LateGroup means that the kernel creates the group when a driver is bound to the function for
	// the first time, as it does where a device tree describes the IOMMU.
	LateGroup bool
	Config    []byte // configuration space
}

// VirtioNet returns a virtio network function that is bound to virtio-pci: modern with device id
// 0x1041, transitional with 0x1000.
func VirtioNet(address string, device uint16, netdevs ...string) Function {
	return Function{
		Address: address, Vendor: 0x1af4, Device: device, Class: 0x020000,
		Own: "virtio-pci", Driver: "virtio-pci", Netdevs: netdevs, NUMANode: -1,
		Config: Config(device, true),
	}
}

// Config returns the configuration space of a virtio network function, with or without the
// capability that a modern driver needs.
func Config(device uint16, modern bool) []byte {
	c := make([]byte, 256)
	copy(c, []byte{0xf4, 0x1a, byte(device), byte(device >> 8)})
	c[0x06] = 0x10
	c[0x34] = 0x98
	copy(c[0x98:], []byte{0x11, 0x00, 0x02, 0x80}) // MSI-X
	if modern {
		c[0x99] = 0x84
		copy(c[0x84:], []byte{0x09, 0x70, 16, 5}) // PCI configuration access
		copy(c[0x70:], []byte{0x09, 0x00, 16, 1}) // the common configuration
	}
	return c
}

// Machine is a directory with the layout of sysfs.
type Machine struct {
	// Root is the directory; it is removed when the test ends.
	Root string
	// Writes are those that the model accepted, in order.
	Writes []sysfs.Write
	// Refuse is the error for a write of any value to a path.
	Refuse map[string]error
	// Ignore makes the model accept a write to a path and do nothing.
	Ignore map[string]bool

	t         testing.TB
	functions map[string]Function
}

// New creates a machine that has the given functions, their drivers, and vfio-pci.
func New(t testing.TB, functions ...Function) *Machine {
	t.Helper()
	m := &Machine{
		Root: t.TempDir(), Refuse: map[string]error{}, Ignore: map[string]bool{},
		t: t, functions: map[string]Function{},
	}
	m.AddDriver("vfio-pci")
	m.Put("/sys/bus/pci/drivers_probe", "")
	m.mkdir("/sys/bus/pci/devices")
	for _, f := range functions {
		m.add(f)
	}
	return m
}

// FS returns the sysfs of the machine, with the model of the kernel.
func (m *Machine) FS() sysfs.FS { return sysfs.FS{Root: m.Root, WriteFile: m.WriteFile} }

// AddDriver loads a driver.
func (m *Machine) AddDriver(name string) {
	m.Put("/sys/bus/pci/drivers/"+name+"/bind", "")
	m.Put("/sys/bus/pci/drivers/"+name+"/unbind", "")
}

// RemoveDriver unloads a driver.
func (m *Machine) RemoveDriver(name string) { m.remove("/sys/bus/pci/drivers/" + name) }

func (m *Machine) add(f Function) {
	m.functions[f.Address] = f
	dir := functionDir(f.Address)
	m.Put(dir+"/vendor", fmt.Sprintf("0x%04x\n", f.Vendor))
	m.Put(dir+"/device", fmt.Sprintf("0x%04x\n", f.Device))
	m.Put(dir+"/class", fmt.Sprintf("0x%06x\n", f.Class))
	m.Put(dir+"/subsystem_vendor", "0x1af4\n")
	m.Put(dir+"/subsystem_device", "0x1100\n")
	m.Put(dir+"/revision", "0x01\n")
	m.Put(dir+"/numa_node", fmt.Sprintln(f.NUMANode))
	m.Put(dir+"/modalias", fmt.Sprintf("pci:v%08Xd%08Xsv00001AF4sd00001100bc%02Xsc%02Xi%02X\n",
		f.Vendor, f.Device, f.Class>>16, f.Class>>8&0xff, f.Class&0xff))
	m.Put(dir+"/config", string(f.Config))
	m.setOverride(f.Address, f.Override)
	if f.LateGroup {
		m.Put("/sys/class/iommu/smmu3.0x0000000009050000/uevent", "")
	}
	if f.Group != 0 && !(f.LateGroup && f.Driver == "") {
		m.joinGroup(f.Address, fmt.Sprint(f.Group))
	}
	if f.Own != "" {
		m.AddDriver(f.Own)
	}
	if f.Driver != "" {
		m.AddDriver(f.Driver)
		m.attach(f.Address, f.Driver)
	}
}

func (m *Machine) joinGroup(address, number string) {
	group := "/sys/kernel/iommu_groups/" + number
	m.symlink(functionDir(address)+"/iommu_group", "../../../../kernel/iommu_groups/"+number)
	m.symlink(group+"/devices/"+address, "../../../../bus/pci/devices/"+address)
}

// Put writes a file of the machine and creates its directories.
func (m *Machine) Put(path, content string) {
	m.t.Helper()
	m.mkdir(filepath.Dir(path))
	m.must(os.WriteFile(m.file(path), []byte(content), 0o644))
}

// Link returns the last element of the target of a symbolic link, "" if there is no link.
func (m *Machine) Link(path string) string {
	target, err := os.Readlink(m.file(path))
	if err != nil {
		return ""
	}
	return filepath.Base(target)
}

// Driver returns the driver of a function, "" for none.
func (m *Machine) Driver(address string) string { return m.Link(functionDir(address) + "/driver") }

// Override returns the driver override of a function, "" for none.
func (m *Machine) Override(address string) string {
	b, err := os.ReadFile(m.file(functionDir(address) + "/driver_override"))
	m.must(err)
	return strings.TrimSuffix(strings.TrimSpace(string(b)), "(null)")
}

func (m *Machine) file(path string) string { return filepath.Join(m.Root, path) }

func (m *Machine) mkdir(path string) { m.must(os.MkdirAll(m.file(path), 0o755)) }

func (m *Machine) remove(path string) { m.must(os.RemoveAll(m.file(path))) }

func (m *Machine) symlink(path, target string) {
	m.mkdir(filepath.Dir(path))
	m.must(os.Symlink(target, m.file(path)))
}

func (m *Machine) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func functionDir(address string) string { return "/sys/bus/pci/devices/" + address }
