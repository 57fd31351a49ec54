package sysfs

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// Info is what sysfs shows for one function at one moment.
type Info struct {
	Address   pci.Address
	Vendor    uint16
	Device    uint16
	SubVendor uint16
	SubDevice uint16
	Revision  uint8
	Class     uint32 // 24 bits: base class, sub-class, programming interface

	Driver   string // of the function, "" for none
	Override string // the only driver that may be bound to it, "" for any that knows its ids

	// VFs are the virtual functions of a physical function of SR-IOV: they vanish when its driver
	// is unbound.
	VFs []pci.Address

	// Netdevs are the network interfaces of the function in this network namespace, its own and
	// those of its virtio child.
	Netdevs []string
	// Virtio is the name of the virtio child, such as "virtio2", and VirtioDriver the driver of
	// that; both are "" if there is none.
	Virtio, VirtioDriver string

	NUMANode int    // -1 if the machine does not report it
	Group    *Group // IOMMU group, nil if there is none

	Kind Kind
	// Fault is why the capability list could not be read, nil if it could.
	Fault error
}

// Network reports whether the class of the function is a network controller.
func (i Info) Network() bool { return i.Class>>16 == 0x02 }

// VirtioNet reports whether the function is a virtio network device.
func (i Info) VirtioNet() bool {
	return i.Vendor == virtioVendor && (i.Device == transitionalNet || i.Device == modernNet)
}

// Hidden reports whether the function has the network driver but no interface in this network
// namespace: the interface is in another one.
func (i Info) Hidden() bool {
	return len(i.Netdevs) == 0 && i.VirtioDriver == "virtio_net"
}

// UserDriver reports whether the driver of the function only gives user space access to it, or only
// keeps other drivers from it.
func (i Info) UserDriver() bool { return userDriver(i.Driver) }

// Functions lists all functions in ascending order of addresses. One that is removed in the
// meantime is left out.
func (s FS) Functions() ([]Info, error) {
	addresses, err := s.addresses(devicesDir)
	if err != nil {
		return nil, err
	}
	var all []Info
	for _, a := range addresses {
		info, err := s.Function(a)
		if isNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, info)
	}
	return all, nil
}

// Function reads all about the function at a. The [Error] for one that does not exist answers
// [io/fs.ErrNotExist].
func (s FS) Function(a pci.Address) (Info, error) {
	dir := functionDir(a)
	if !s.exists(dir) {
		return Info{}, notFoundError(a)
	}
	info := Info{Address: a}
	err := errors.Join(s.readIDs(dir, &info), s.readDrivers(dir, &info), s.readChildren(dir, &info),
		s.readTopology(dir, &info))
	if err != nil {
		if !s.exists(dir) {
			return Info{}, notFoundError(a)
		}
		return Info{}, err
	}
	info.Kind, info.Fault = s.kind(info)
	return info, nil
}

// ByNetdev returns the address of the function that has a network interface. The [Error] for an
// interface that no function has answers [io/fs.ErrNotExist].
func (s FS) ByNetdev(name string) (pci.Address, error) {
	all, err := s.Functions()
	if err != nil {
		return pci.Address{}, err
	}
	for _, info := range all {
		if slices.Contains(info.Netdevs, name) {
			return info.Address, nil
		}
	}
	return pci.Address{}, netdevError(name)
}

func (s FS) readIDs(dir string, info *Info) error {
	for _, f := range []struct {
		name     string
		bits     int
		optional bool
		set      func(uint64)
	}{
		{"vendor", 16, false, func(v uint64) { info.Vendor = uint16(v) }},
		{"device", 16, false, func(v uint64) { info.Device = uint16(v) }},
		{"class", 24, false, func(v uint64) { info.Class = uint32(v) }},
		{"subsystem_vendor", 16, true, func(v uint64) { info.SubVendor = uint16(v) }},
		{"subsystem_device", 16, true, func(v uint64) { info.SubDevice = uint16(v) }},
		{"revision", 8, true, func(v uint64) { info.Revision = uint8(v) }},
	} {
		v, err := s.readHex(dir+"/"+f.name, f.bits)
		if err != nil && !(f.optional && errors.Is(err, fs.ErrNotExist)) {
			return err
		}
		f.set(v)
	}
	return nil
}

func (s FS) readDrivers(dir string, info *Info) (err error) {
	if info.Driver, err = s.link(dir + "/driver"); err != nil {
		return err
	}
	info.Override, err = s.read(dir + "/driver_override")
	// The kernel prints an unset override as a null string. Kernels without overrides have no such
	// file.
	if errors.Is(err, fs.ErrNotExist) || info.Override == "(null)" {
		info.Override, err = "", nil
	}
	return err
}

// readChildren reads the interfaces, the virtio child and the virtual functions.
func (s FS) readChildren(dir string, info *Info) error {
	own, err := s.names(dir + "/net")
	if err != nil {
		return err
	}
	children, err := s.names(dir)
	if err != nil {
		return err
	}
	for _, child := range children {
		if enumerated(child, "virtfn") {
			target, err := s.link(dir + "/" + child)
			if err != nil {
				return err
			}
			if a, err := pci.ParseAddress(target); err == nil {
				info.VFs = append(info.VFs, a)
			}
		}
		if !enumerated(child, "virtio") {
			continue
		}
		info.Virtio = child
		if info.VirtioDriver, err = s.link(dir + "/" + child + "/driver"); err != nil {
			return err
		}
		below, err := s.names(dir + "/" + child + "/net")
		if err != nil {
			return err
		}
		own = append(own, below...)
	}
	slices.Sort(own)
	info.Netdevs = own
	slices.SortFunc(info.VFs, pci.Address.Compare)
	return nil
}

// enumerated reports whether a name is a prefix and a number, such as "virtio2".
func enumerated(name, prefix string) bool {
	number, ok := strings.CutPrefix(name, prefix)
	return ok && number != "" && strings.Trim(number, "0123456789") == ""
}

// Uppers lists the interfaces that are stacked directly upon an interface of this network
// namespace: VLANs, bonds, bridges and the like.
func (s FS) Uppers(netdev string) ([]string, error) {
	names, err := s.names("/sys/class/net/" + netdev)
	var uppers []string
	for _, name := range names {
		if upper, ok := strings.CutPrefix(name, "upper_"); ok {
			uppers = append(uppers, upper)
		}
	}
	return uppers, err
}

func (s FS) readTopology(dir string, info *Info) (err error) {
	if info.NUMANode, err = s.readInt(dir+"/numa_node", -1); err != nil {
		return err
	}
	info.Group, err = s.group(dir)
	return err
}
