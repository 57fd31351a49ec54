package sysfstest

import (
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"

	"github.com/virtio-pmd/virtio-pmd/pci/sysfs"
)

// WriteFile reacts to a write as the kernel does. It has the signature of [sysfs.FS].WriteFile.
func (m *Machine) WriteFile(file, value string) error {
	if err := m.Refuse[file]; err != nil {
		return err
	}
	if _, err := os.Stat(m.file(file)); err != nil && path.Base(path.Dir(file)) != "driver" {
		return syscall.ENOENT
	}
	if !m.Ignore[file] {
		if err := m.react(file, value); err != nil {
			return err
		}
	}
	m.Writes = append(m.Writes, sysfs.Write{Path: file, Value: value})
	return nil
}

func (m *Machine) react(file, value string) error {
	owner := path.Base(path.Dir(file))
	switch path.Base(file) {
	case "driver_override":
		m.setOverride(owner, value)
		return nil
	case "drivers_probe":
		return m.probe(value)
	case "bind":
		return m.bind(value, owner)
	case "unbind":
		if owner == "driver" {
			address := path.Base(path.Dir(path.Dir(file)))
			if owner = m.Driver(address); owner == "" {
				return syscall.ENOENT
			}
		}
		return m.unbind(value, owner)
	}
	return syscall.EACCES
}

func (m *Machine) setOverride(address, driver string) {
	if driver == "" {
		driver = "(null)"
	}
	m.Put(functionDir(address)+"/driver_override", driver+"\n")
}

// matches reports whether the kernel lets a driver bind to a function.
func (m *Machine) matches(address, driver string) bool {
	if override := m.Override(address); override != "" {
		return override == driver
	}
	return m.functions[address].Own == driver
}

func (m *Machine) bind(address, driver string) error {
	f, ok := m.functions[address]
	switch {
	case !ok, !m.matches(address, driver):
		return syscall.ENODEV
	case m.Driver(address) != "":
		return syscall.EBUSY
	}
	if f.LateGroup && f.Group != 0 && m.Link(functionDir(address)+"/iommu_group") == "" {
		m.joinGroup(address, strconv.Itoa(f.Group))
	}
	if driver == "vfio-pci" && f.Group == 0 {
		if err := m.addNoIOMMUGroup(address); err != nil {
			return err
		}
	}
	m.attach(address, driver)
	return nil
}

// addNoIOMMUGroup creates the group of a function as vfio does in no-IOMMU mode.
func (m *Machine) addNoIOMMUGroup(address string) error {
	mode, _ := os.ReadFile(m.file("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"))
	if !strings.HasPrefix(string(mode), "Y") {
		return syscall.EINVAL
	}
	m.joinGroup(address, "77")
	m.Put("/sys/kernel/iommu_groups/77/name", "vfio-noiommu\n")
	return nil
}

// probe binds the function to the driver that matches; it is no error if there is none.
func (m *Machine) probe(address string) error {
	f, ok := m.functions[address]
	if !ok {
		return syscall.ENODEV
	}
	if m.Driver(address) != "" {
		return nil
	}
	want := f.Own
	if override := m.Override(address); override != "" {
		want = override
	}
	if _, err := os.Stat(m.file("/sys/bus/pci/drivers/" + want)); want == "" || err != nil {
		return nil
	}
	return m.bind(address, want)
}

func (m *Machine) attach(address, driver string) {
	dir := functionDir(address)
	m.symlink(dir+"/driver", "../../../../bus/pci/drivers/"+driver)
	m.symlink("/sys/bus/pci/drivers/"+driver+"/"+address, "../../../../bus/pci/devices/"+address)
	f := m.functions[address]
	if driver != f.Own {
		return
	}
	netdevs := dir + "/net/"
	if driver == "virtio-pci" {
		child := dir + "/virtio0"
		name := "virtio_blk"
		if f.Class>>16 == 0x02 {
			name = "virtio_net"
		}
		m.symlink(child+"/driver", "../../../../bus/virtio/drivers/"+name)
		netdevs = child + "/net/"
	}
	for _, name := range f.Netdevs {
		m.mkdir(netdevs + name)
	}
}

func (m *Machine) unbind(address, driver string) error {
	if m.Driver(address) != driver {
		return syscall.ENODEV
	}
	dir := functionDir(address)
	m.remove(dir + "/driver")
	m.remove("/sys/bus/pci/drivers/" + driver + "/" + address)
	m.remove(dir + "/net")
	m.remove(dir + "/virtio0")
	if m.Link(dir+"/iommu_group") == "77" {
		m.remove(dir + "/iommu_group")
		m.remove("/sys/kernel/iommu_groups/77")
	}
	return nil
}
