package sysfs

import (
	"strings"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// Bind plans to give functions to a driver, whatever driver has them now and
// whatever ids the driver knows. The driver has to be there: one that is not
// loaded is a *NoDriverError. A function without an IOMMU group cannot go to
// vfio-pci, which is a *NoIOMMUError, unless vfio was told to do without.
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
		if err := s.checkIOMMU(info, driver); err != nil {
			return nil, err
		}
		change := Change{Address: a, From: info.Driver, To: driver}
		if info.Driver != driver {
			change.Writes = append(release(info), override(info, driver), attach(a, driver))
		}
		plan = append(plan, change)
	}
	return plan, nil
}

// Unbind plans to leave functions without a driver. An override that names the
// driver they had goes too: it would bring that driver back.
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

// Restore plans to give functions back to the kernel: the override goes, and
// the driver is the one named or, with "", the one that the kernel chooses by
// the function's ids; for virtio that is virtio-pci. A function that is with
// such a driver stays there.
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

// ownDriver is the driver that the kernel gives the function to. Only that of
// virtio is known here. It is bound by name: vfio-pci may have been told to
// take the same ids through new_id, and then the kernel's choice is between
// two.
func ownDriver(info Info) string {
	if info.Kind != NotVirtio {
		return "virtio-pci"
	}
	return KernelChoice
}

func restore(info Info, want string) Change {
	change := Change{Address: info.Address, From: info.Driver, To: want}
	there := info.Driver == want || want == KernelChoice && info.Driver != "" && !userDriver(info.Driver)
	if !there {
		change.Writes = release(info)
	} else if want == KernelChoice {
		change.To = info.Driver
	}
	if info.Override != "" {
		change.Writes = append(change.Writes, override(info, ""))
	}
	if !there {
		change.Writes = append(change.Writes, attach(info.Address, want))
	}
	return change
}

// The order is always: release, override, attach. Taken back in reverse order
// the override is the old one again before the old driver gets the function,
// which it would not get otherwise.

// release takes the function from its driver, if it has one.
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

// override says which driver alone may have the function; "" lets any.
func override(info Info, driver string) Write {
	path := functionDir(info.Address) + "/driver_override"
	return Write{Path: path, Value: driver, undo: &Write{Path: path, Value: info.Override}}
}

// attach gives the function to a driver. Writing to bind, other than to
// drivers_probe, reports why the driver refuses.
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

// checkDriver tells whether a driver is there to be bound to.
func (s FS) checkDriver(driver string) error {
	if driver == "" || driver == "." || driver == ".." || strings.ContainsAny(driver, "/\n") {
		return &NoDriverError{Driver: driver}
	}
	if s.exists(driverDir(driver)) {
		return nil
	}
	missing := &NoDriverError{Driver: driver}
	// Modules are named with underscores, drivers as their authors like.
	for _, other := range []string{strings.ReplaceAll(driver, "_", "-"), strings.ReplaceAll(driver, "-", "_")} {
		if other != driver && s.exists(driverDir(other)) {
			missing.Meant = other
		}
	}
	return missing
}

// checkIOMMU finds out before anything is written what vfio-pci would answer.
func (s FS) checkIOMMU(info Info, driver string) error {
	if info.Group != nil || !vfioDriver(driver) || info.Driver == driver {
		return nil
	}
	mode, err := s.NoIOMMUMode()
	if err != nil {
		return err
	}
	if mode == NoIOMMUOn {
		return nil
	}
	return &NoIOMMUError{Address: info.Address, Mode: mode}
}

// vfioDriver tells whether a driver is vfio-pci or a variant of it.
func vfioDriver(name string) bool {
	return strings.HasSuffix(name, "vfio-pci") || strings.HasSuffix(name, "vfio_pci")
}

// userDriver tells whether a driver only hands functions to user space or
// keeps them from others, so that the kernel would not choose it by itself.
func userDriver(name string) bool {
	return vfioDriver(name) || name == "uio_pci_generic" || name == "igb_uio" || name == "pci-stub"
}
