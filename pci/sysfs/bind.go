package sysfs

import (
	"strings"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// Bind plans to bind functions to a driver, whatever driver has them and whatever ids the driver
// knows. A driver that is not loaded is an [Error], and so is a function without an IOMMU group and
// vfio-pci, unless the no-IOMMU mode of vfio is on or the group may appear when the function is
// bound.
func (s FS) Bind(driver string, functions ...pci.Address) (Plan, error) {
	if err := s.checkDriver(driver); err != nil {
		return nil, err
	}
	var plan Plan
	for _, a := range functions {
		info, err := s.Function(a)
		if err != nil {
			return nil, err
		}
		change := Change{Address: a, From: info.Driver, To: driver}
		if change.lateGroup, err = s.checkIOMMU(info, driver); err != nil {
			return nil, err
		}
		if info.Driver != driver {
			change.Writes = append(release(info), override(info, driver), attach(a, driver))
		}
		plan = append(plan, change)
	}
	return plan, nil
}

// Unbind plans to leave functions without a driver. An override that names the driver they had is
// cleared: it would bring that driver back.
func (s FS) Unbind(functions ...pci.Address) (Plan, error) {
	var plan Plan
	for _, a := range functions {
		info, err := s.Function(a)
		if err != nil {
			return nil, err
		}
		change := Change{Address: a, From: info.Driver, Writes: release(info)}
		if info.Driver != "" && info.Override == info.Driver {
			change.Writes = append(change.Writes, override(info, ""))
		}
		plan = append(plan, change)
	}
	return plan, nil
}

// Restore plans to return functions to the kernel: the override is cleared, and the driver is the
// one named or, with "", the one that the kernel chooses by the function's ids; for virtio that is
// virtio-pci. A function that has such a driver keeps it.
func (s FS) Restore(driver string, functions ...pci.Address) (Plan, error) {
	var plan Plan
	for _, a := range functions {
		info, err := s.Function(a)
		if err != nil {
			return nil, err
		}
		want := driver
		if want == "" {
			want = ownDriver(info)
		}
		if want != KernelChoice {
			if err := s.checkDriver(want); err != nil {
				return nil, err
			}
		}
		plan = append(plan, restore(info, want))
	}
	return plan, nil
}

// ownDriver returns the driver that the kernel chooses for the function. Only that of virtio is
// known here. It is bound by name, because new_id may have added the same ids to vfio-pci, and then
// the kernel has two drivers to choose from.
func ownDriver(info Info) string {
	if info.Kind != NotVirtio {
		return "virtio-pci"
	}
	return KernelChoice
}

func restore(info Info, want string) Change {
	change := Change{Address: info.Address, From: info.Driver, To: want}
	bound := info.Driver == want || want == KernelChoice && info.Driver != "" &&
		!userDriver(info.Driver)
	if !bound {
		change.Writes = release(info)
	} else if want == KernelChoice {
		change.To = info.Driver
	}
	if info.Override != "" {
		change.Writes = append(change.Writes, override(info, ""))
	}
	if !bound {
		change.Writes = append(change.Writes, attach(info.Address, want))
	}
	return change
}

// The order is always: release, override, attach. Undone in reverse order, the old override is back
// before the old driver is bound, which the kernel would refuse otherwise.

// release unbinds the function from its driver, if it has one.
func release(info Info) []Write {
	if info.Driver == "" {
		return nil
	}
	address := info.Address.String()
	return []Write{{
		Path:  driverDir(info.Driver) + "/unbind",
		Value: address,
		undo:  &Write{Path: driverDir(info.Driver) + "/bind", Value: address},
	}}
}

// override sets the only driver that may have the function; "" allows any.
func override(info Info, driver string) Write {
	path := functionDir(info.Address) + "/driver_override"
	return Write{Path: path, Value: driver, undo: &Write{Path: path, Value: info.Override}}
}

// attach binds the function to a driver. A write to bind, unlike one to drivers_probe, reports why
// the driver refuses.
func attach(a pci.Address, driver string) Write {
	w := Write{
		Path:  driverDir(driver) + "/bind",
		Value: a.String(),
		undo:  &Write{Path: functionDir(a) + "/driver/unbind", Value: a.String(), optional: true},
	}
	if driver == KernelChoice {
		w.Path = probeFile
	}
	return w
}

// checkDriver returns an error for a driver that the kernel does not have.
func (s FS) checkDriver(driver string) error {
	if !validDriver(driver) {
		return driverError(driver, "")
	}
	if s.exists(driverDir(driver)) {
		return nil
	}
	similar := ""
	// The names of modules have underscores, those of drivers may have hyphens.
	for _, other := range []string{strings.ReplaceAll(driver, "_", "-"),
		strings.ReplaceAll(driver, "-", "_")} {
		if other != driver && s.exists(driverDir(other)) {
			similar = other
		}
	}
	return driverError(driver, similar)
}

// checkIOMMU returns an error for a function that vfio-pci would refuse, before anything is
// written. late means that only binding the function shows whether it has a group: it has had no
// driver, and the machine has an IOMMU.
func (s FS) checkIOMMU(info Info, driver string) (late bool, err error) {
	if info.Group != nil || !vfioDriver(driver) || info.Driver == driver {
		return false, nil
	}
	mode, err := s.noIOMMUMode()
	if err != nil || mode == noIOMMUOn {
		return false, err
	}
	iommus, err := s.names(iommusDir)
	if err != nil {
		return false, err
	}
	if info.Driver == "" && len(iommus) > 0 {
		return true, nil
	}
	return false, noIOMMUError(info.Address, mode)
}

// vfioDriver reports whether a driver is vfio-pci or a variant of it.
func vfioDriver(name string) bool {
	return strings.HasSuffix(name, "vfio-pci") || strings.HasSuffix(name, "vfio_pci")
}

// userDriver reports whether a driver only gives user space access to functions, or only keeps
// other drivers from them, so that the kernel does not choose it by itself.
func userDriver(name string) bool {
	return vfioDriver(name) || name == "uio_pci_generic" || name == "igb_uio" || name == "pci-stub"
}
