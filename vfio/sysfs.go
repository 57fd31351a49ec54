package vfio

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// location is the driver and the IOMMU group that sysfs shows for a function.
type location struct {
	driver string // "" for none
	group  int    // number of its IOMMU group, -1 for none
	// noIOMMU is set for the groups of no-IOMMU mode, which isolate nothing. The name of the device
	// node does not show it: a container may have /dev/vfio/noiommu-N under the name /dev/vfio/N.
	noIOMMU bool
}

// find looks a function up in sysfs.
func find(root, address string) (location, error) {
	dir := filepath.Join(root, "sys/bus/pci/devices", address)
	if _, err := os.Stat(dir); err != nil {
		return location{}, &Error{Op: "open", Device: address, Reason: "there is no such PCI function",
			Remedy: "lspci -D lists those that there are", Err: withoutPath(err)}
	}
	p := location{group: -1}
	var err error
	if p.driver, err = linkName(filepath.Join(dir, "driver")); err != nil {
		return location{}, err
	}
	group, err := linkName(filepath.Join(dir, "iommu_group"))
	if err != nil || group == "" {
		return p, err
	}
	if p.group, err = strconv.Atoi(group); err != nil || p.group < 0 {
		return location{}, &Error{Op: "open", Device: address,
			Reason: fmt.Sprintf("its IOMMU group %q has no number", group)}
	}
	name, err := os.ReadFile(filepath.Join(dir, "iommu_group", "name"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return location{}, err
	}
	p.noIOMMU = strings.TrimSpace(string(name)) == "vfio-noiommu"
	return p, nil
}

// member is one function of an IOMMU group.
type member struct {
	address string
	driver  string // "" for none
}

// members returns the functions in a group and their drivers.
func members(root string, group int) ([]member, error) {
	dir := filepath.Join(root, "sys/kernel/iommu_groups", strconv.Itoa(group), "devices")
	devices, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var list []member
	for _, d := range devices {
		driver, err := linkName(filepath.Join(root, "sys/bus/pci/devices", d.Name(), "driver"))
		if err != nil {
			return nil, err
		}
		list = append(list, member{address: d.Name(), driver: driver})
	}
	slices.SortFunc(list, func(a, b member) int { return strings.Compare(a.address, b.address) })
	return list, nil
}

// linkName returns the last element of the target of a symbolic link, "" if there is no such link.
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

// isVFIO reports whether a driver is one of VFIO: vfio-pci, or a variant for one kind of device,
// such as virtio_vfio_pci.
func isVFIO(driver string) bool { return strings.Contains(driver, "vfio") }
