package vpci

import (
	"errors"
	"fmt"
	"strings"
)

// brokenDevice is the remedy for a device that contradicts itself.
const brokenDevice = "the device is broken: use another one, or update what provides it (firmware, QEMU)"

// UnsupportedError is a PCI function that this driver cannot drive: it is not a
// virtio network device, or it has the interface from before virtio 1.0 only.
// errors.Is finds errors.ErrUnsupported in it.
type UnsupportedError struct {
	Function       string // its PCI address
	Vendor, Device uint16
	// Legacy says that it is a virtio network device without the capabilities of
	// virtio 1.0.
	Legacy bool
}

// Error names the ids, and the ids or the device that would work.
func (e *UnsupportedError) Error() string {
	what := "no virtio device"
	switch {
	case e.Legacy:
		return fmt.Sprintf("%s: the function %04x:%04x is a legacy virtio device: it has none of the capabilities of virtio 1.0, "+
			"which this driver needs; start it as a modern device (QEMU: -device virtio-net-pci,disable-legacy=on,disable-modern=off)",
			e.Function, e.Vendor, e.Device)
	case e.Vendor == vendorVirtio && e.Device >= deviceFirst && e.Device <= deviceLast:
		what = "a virtio device of another type"
	}
	return fmt.Sprintf("%s: the function %04x:%04x is %s; a virtio network device is %04x:%04x or %04x:%04x",
		e.Function, e.Vendor, e.Device, what, vendorVirtio, deviceModernNet, vendorVirtio,
		deviceTransitionalNet)
}

// Unwrap returns errors.ErrUnsupported.
func (e *UnsupportedError) Unwrap() error { return errors.ErrUnsupported }

// Error is a register structure or a doorbell that is missing, or that the device
// says is where it cannot be used.
type Error struct {
	Device string // its PCI address
	Field  string // "common configuration structure", "virtqueue 1", …
	Value  string // what the device says about it, "" if it says nothing
	Reason string
	Remedy string
	Err    error // the cause, nil if Reason says all
}

// Error names the structure, the numbers of the device, the reason and the remedy.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Device, e.Field)
	if e.Value != "" {
		fmt.Fprintf(&b, " (%s)", e.Value)
	}
	fmt.Fprintf(&b, ": %s", e.Reason)
	if e.Err != nil {
		fmt.Fprintf(&b, " (%v)", e.Err)
	}
	b.WriteString("; " + e.Remedy)
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
