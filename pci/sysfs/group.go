package sysfs

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strconv"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// Group is an IOMMU group: functions that the IOMMU cannot isolate from each other. User space may
// use one only if no kernel driver uses another.
type Group struct {
	Number int
	// NoIOMMU is true for the group that vfio creates for one function in no-IOMMU mode. It
	// isolates nothing.
	NoIOMMU bool
	// Members are in ascending order, the function itself included.
	Members []pci.Address
}

// Others returns the members of the group except a. A nil group has none.
func (g *Group) Others(a pci.Address) []pci.Address {
	if g == nil {
		return nil
	}
	var others []pci.Address
	for _, m := range g.Members {
		if m != a {
			others = append(others, m)
		}
	}
	return others
}

// group reads the group of the function whose directory is dir.
func (s FS) group(dir string) (*Group, error) {
	name, err := s.link(dir + "/iommu_group")
	if err != nil || name == "" {
		return nil, err
	}
	number, err := strconv.Atoi(name)
	if err != nil {
		return nil, formatError(dir+"/iommu_group", name)
	}
	kind, err := s.read(path.Join(groupsDir, name, "name"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	members, err := s.groupMembers(number)
	if err != nil {
		return nil, err
	}
	return &Group{Number: number, NoIOMMU: kind == "vfio-noiommu", Members: members}, nil
}

// groupMembers lists the PCI functions in an IOMMU group in ascending order. A group that does not
// exist has none.
func (s FS) groupMembers(number int) ([]pci.Address, error) {
	return s.addresses(path.Join(groupsDir, strconv.Itoa(number), "devices"))
}

// Nodes lists the device nodes through which user space opens a function: with vfio-pci that of its
// group and, if the kernel creates one, its own; those of uio and of vhost-vdpa.
func (s FS) Nodes(info Info) ([]string, error) {
	dir := functionDir(info.Address)
	var nodes []string
	if info.Group != nil && vfioDriver(info.Driver) {
		name := strconv.Itoa(info.Group.Number)
		if info.Group.NoIOMMU {
			name = "noiommu-" + name
		}
		nodes = append(nodes, "/dev/vfio/"+name)
	}
	for _, kind := range []struct{ dir, prefix, node string }{
		{dir + "/vfio-dev", "vfio", "/dev/vfio/devices/"},
		{dir + "/uio", "uio", "/dev/"},
	} {
		names, err := s.enumerated(kind.dir, kind.prefix)
		if err != nil {
			return nodes, err
		}
		for _, name := range names {
			nodes = append(nodes, kind.node+name)
		}
	}
	devices, err := s.enumerated(dir, "vdpa")
	if err != nil {
		return nodes, err
	}
	for _, device := range devices {
		names, err := s.enumerated(dir+"/"+device, "vhost-vdpa-")
		if err != nil {
			return nodes, err
		}
		for _, name := range names {
			nodes = append(nodes, "/dev/"+name)
		}
	}
	return nodes, nil
}

// enumerated lists the files of a directory whose names are a prefix and a number.
func (s FS) enumerated(dir, prefix string) ([]string, error) {
	names, err := s.names(dir)
	return slices.DeleteFunc(names, func(name string) bool { return !enumerated(name, prefix) }), err
}

// Blocking lists the members of the function's group that keep user space from using it: those with
// a kernel driver. The kernel tolerates bridges and pci-stub.
func (s FS) Blocking(info Info) ([]Info, error) {
	var blocking []Info
	for _, a := range info.Group.Others(info.Address) {
		other, err := s.Function(a)
		if isNotFound(err) {
			continue // removed in the meantime
		}
		if err != nil {
			return nil, err
		}
		bridge := other.Class>>16 == 0x06
		if other.Driver != "" && other.Driver != "pci-stub" && !vfioDriver(other.Driver) && !bridge {
			blocking = append(blocking, other)
		}
	}
	return blocking, nil
}

// noIOMMUMode is whether vfio works without an IOMMU.
type noIOMMUMode int

const (
	// noIOMMUAbsent means that vfio is not loaded or was built without the mode.
	noIOMMUAbsent noIOMMUMode = iota
	// noIOMMUOff means that the mode exists and is off.
	noIOMMUOff
	// noIOMMUOn means that functions without an IOMMU can be bound to vfio-pci.
	noIOMMUOn
)

// noIOMMUMode reads the parameter of vfio that allows the mode.
func (s FS) noIOMMUMode() (noIOMMUMode, error) {
	text, err := s.read(noIOMMUFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return noIOMMUAbsent, nil
	case err != nil:
		return noIOMMUAbsent, err
	case text == "Y" || text == "1":
		return noIOMMUOn, nil
	}
	return noIOMMUOff, nil
}
