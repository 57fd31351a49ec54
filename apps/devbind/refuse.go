package main

import (
	"fmt"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/inuse"
	"github.com/virtio-pmd/virtio-pmd/pci"
	"github.com/virtio-pmd/virtio-pmd/pci/sysfs"
)

// refusedError reports a function that is not changed without --force, or not at all.
type refusedError struct {
	function string // its address, and its ids if the reason is what it is
	reason   string
	remedy   string
	final    bool  // --force changes nothing
	err      error // cause, or nil: sysfs.ErrInUse
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("PCI function %s %s; %s", e.function, e.reason, e.remedy)
}

func (e *refusedError) Unwrap() error { return e.err }

// inUse refuses a function that is in use for one or more reasons.
func inUse(address pci.Address, reasons []inuse.Reason) error {
	e := &refusedError{
		function: address.String(),
		reason:   "is in use: " + strings.Join(inuse.Texts(reasons), "; "),
		remedy:   "free it first, or use --force if losing that is what you want",
		err:      sysfs.ErrInUse,
	}
	if reasons[0].Vital {
		e.final = true
		e.remedy = "this machine cannot do without it, and --force does not change that"
	}
	return e
}

// checkVirtioNet refuses a function that is not a virtio network device.
func checkVirtioNet(info sysfs.Info) error {
	if info.VirtioNet() {
		return nil
	}
	return unsuitable(info, "is not a virtio network device", "devbind status lists those there are; "+
		"--force takes it all the same, for example as the neighbour in an IOMMU group")
}

// checkUsable refuses a function that the driver of this project cannot use.
func checkUsable(info sysfs.Info) error {
	if err := checkVirtioNet(info); err != nil {
		return err
	}
	if info.Kind == sysfs.Legacy {
		return unsuitable(info, "is a legacy virtio device: it lacks the capabilities of virtio 1.0, "+
			"and this driver needs them",
			"QEMU makes a modern one with disable-modern=off; --force takes it all the same")
	}
	if info.Fault != nil {
		return unsuitable(info, fmt.Sprintf("cannot be looked into: %v", info.Fault),
			"--force takes it all the same")
	}
	return nil
}

func unsuitable(info sysfs.Info, reason, remedy string) error {
	function := fmt.Sprintf("%s (%04x:%04x)", info.Address, info.Vendor, info.Device)
	return &refusedError{function: function, reason: reason, remedy: remedy}
}
