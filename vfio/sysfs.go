package vfio

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// place is where sysfs says a function is.
type place struct {
	driver string // "" for none
	group  int    // number of its IOMMU group, -1 for none
	// pretended is true for the groups of no-IOMMU mode, which the kernel
	// makes up. The name of the node in /dev does not tell: containers are
	// given /dev/vfio/noiommu-N under the name /dev/vfio/N.
	pretended bool
}

// find looks a function up in sysfs.
func find(root, address string) (place, error) {
	dir := filepath.Join(root, "sys/bus/pci/devices", address)
	if _, err := os.Stat(dir); err != nil {
		return place{}, &NotFoundError{Address: address, Err: err}
	}
	p := place{group: -1}
	var err error
	if p.driver, err = linkName(filepath.Join(dir, "driver")); err != nil {
		return place{}, err
	}
	group, err := linkName(filepath.Join(dir, "iommu_group"))
	if err != nil || group == "" {
		return p, err
	}
	if p.group, err = strconv.Atoi(group); err != nil || p.group < 0 {
		return place{}, &NotFoundError{Address: address, Err: errors.New("its IOMMU group " + strconv.Quote(group) + " has no number")}
	}
	name, err := os.ReadFile(filepath.Join(dir, "iommu_group", "name"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return place{}, err
	}
	p.pretended = strings.TrimSpace(string(name)) == "vfio-noiommu"
	return p, nil
}

// members returns the functions in a group and the drivers they have.
func members(root string, group int) ([]Member, error) {
	devices, err := os.ReadDir(filepath.Join(root, "sys/kernel/iommu_groups", strconv.Itoa(group), "devices"))
	if err != nil {
		return nil, err
	}
	var list []Member
	for _, d := range devices {
		driver, err := linkName(filepath.Join(root, "sys/bus/pci/devices", d.Name(), "driver"))
		if err != nil {
			return nil, err
		}
		list = append(list, Member{Address: d.Name(), Driver: driver})
	}
	slices.SortFunc(list, func(a, b Member) int { return strings.Compare(a.Address, b.Address) })
	return list, nil
}

// linkName returns the last element of what a symbolic link points to, "" if
// there is no such link.
func linkName(path string) (string, error) {
	target, err := os.Readlink(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return filepath.Base(target), nil
}

// isVFIO tells whether a driver hands functions to VFIO: vfio-pci, or a variant
// for one kind of device, such as virtio_vfio_pci.
func isVFIO(driver string) bool { return strings.Contains(driver, "vfio") }
