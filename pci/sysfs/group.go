package sysfs

import (
	"errors"
	"io/fs"
	"path"
	"strconv"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// Group is an IOMMU group: the functions that the IOMMU cannot keep apart.
// Either all of them are given to user space or none.
type Group struct {
	Number int
	// NoIOMMU is true for the group that vfio makes up for one function when it
	// is allowed to work without an IOMMU. It protects nothing.
	NoIOMMU bool
	Members []pci.Address // in ascending order, the function itself included
}

// Others are the members of the group apart from a.
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
		return nil, &FormatError{Path: dir + "/iommu_group", Value: name}
	}
	kind, err := s.read(path.Join(groupsDir, name, "name"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	members, err := s.GroupMembers(number)
	if err != nil {
		return nil, err
	}
	return &Group{Number: number, NoIOMMU: kind == "vfio-noiommu", Members: members}, nil
}

// GroupMembers lists the PCI functions in an IOMMU group in ascending order. A
// group that does not exist has none.
func (s FS) GroupMembers(number int) ([]pci.Address, error) {
	return s.addresses(path.Join(groupsDir, strconv.Itoa(number), "devices"))
}

// Nodes lists the device nodes through which user space opens a function that
// vfio-pci has: that of its group and, where the kernel makes one, its own.
func (s FS) Nodes(info Info) ([]string, error) {
	if info.Group == nil || !vfioDriver(info.Driver) {
		return nil, nil
	}
	name := strconv.Itoa(info.Group.Number)
	if info.Group.NoIOMMU {
		name = "noiommu-" + name
	}
	nodes := []string{"/dev/vfio/" + name}
	own, err := s.names(functionDir(info.Address) + "/vfio-dev")
	for _, name := range own {
		nodes = append(nodes, "/dev/vfio/devices/"+name)
	}
	return nodes, err
}

// Blocking lists the members of the function's group that keep user space from
// using it: those that a kernel driver has. The kernel tolerates bridges and
// pci-stub.
func (s FS) Blocking(info Info) ([]Info, error) {
	var blocking []Info
	for _, a := range info.Group.Others(info.Address) {
		other, err := s.Function(a)
		var gone *NotFoundError
		if errors.As(err, &gone) {
			continue
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

// NoIOMMUMode is whether vfio works without an IOMMU.
type NoIOMMUMode int

const (
	// NoIOMMUAbsent means that vfio is not loaded or was built without the mode.
	NoIOMMUAbsent NoIOMMUMode = iota
	// NoIOMMUOff means that the mode exists and is off.
	NoIOMMUOff
	// NoIOMMUOn means that functions without an IOMMU can be bound to vfio-pci.
	NoIOMMUOn
)

// NoIOMMUMode reads the parameter of vfio that allows the mode.
func (s FS) NoIOMMUMode() (NoIOMMUMode, error) {
	text, err := s.read(noIOMMU)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return NoIOMMUAbsent, nil
	case err != nil:
		return NoIOMMUAbsent, err
	case text == "Y" || text == "1":
		return NoIOMMUOn, nil
	}
	return NoIOMMUOff, nil
}
