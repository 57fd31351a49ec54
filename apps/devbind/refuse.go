package main

import (
	"fmt"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/pci"
	"github.com/virtio-pmd/virtio-pmd/pci/sysfs"
)

// InUseError is a function that somebody uses.
type InUseError struct {
	Address pci.Address
	Reasons []string // one or more
}

func (e *InUseError) Error() string {
	return fmt.Sprintf("PCI function %s is in use: %s; free it first, or use --force if losing that is what you want",
		e.Address, strings.Join(e.Reasons, "; "))
}

// UnsuitableError is a function that is not for this driver.
type UnsuitableError struct {
	Address        pci.Address
	Vendor, Device uint16
	Reason         string
}

func (e *UnsuitableError) Error() string {
	return fmt.Sprintf("PCI function %s (%04x:%04x) %s", e.Address, e.Vendor, e.Device, e.Reason)
}

// checkVirtioNet tells whether a function is a virtio network device.
func checkVirtioNet(info sysfs.Info) error {
	if info.VirtioNet() {
		return nil
	}
	return unsuitable(info, "is not a virtio network device; devbind status lists those there are; "+
		"--force takes it all the same, for example as the neighbour in an IOMMU group")
}

// checkUsable tells whether the driver of this project can use a function.
func checkUsable(info sysfs.Info) error {
	if err := checkVirtioNet(info); err != nil {
		return err
	}
	if info.Kind == sysfs.Legacy {
		return unsuitable(info, "is a legacy virtio device: it lacks the capabilities of virtio 1.0, and this driver needs them; "+
			"QEMU makes a modern one with disable-modern=off; --force takes it all the same")
	}
	if info.Fault != nil {
		return unsuitable(info, fmt.Sprintf("cannot be looked into: %v; --force takes it all the same", info.Fault))
	}
	return nil
}

func unsuitable(info sysfs.Info, reason string) error {
	return &UnsuitableError{Address: info.Address, Vendor: info.Vendor, Device: info.Device, Reason: reason}
}
