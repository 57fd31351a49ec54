package vpci

import (
	"fmt"
	"strings"
)

// broken is what to do about a device that contradicts itself.
const broken = "the device is broken: use another one, or update what provides it (firmware, QEMU)"

// IDError is a PCI function that is no virtio network device.
type IDError struct {
	Function       string
	Vendor, Device uint16
}

// Error names the ids and those that would do.
func (e *IDError) Error() string {
	what := "no virtio device"
	if e.Vendor == vendorVirtio && e.Device >= deviceFirst && e.Device <= deviceLast {
		what = "a virtio device of another type"
	}
	return fmt.Sprintf("%s: the function %04x:%04x is %s; a virtio network device is %04x:%04x or %04x:%04x",
		e.Function, e.Vendor, e.Device, what, vendorVirtio, deviceModernNet, vendorVirtio, deviceTransitionalNet)
}

// LegacyError is a device that has the interface from before virtio 1.0 only.
type LegacyError struct {
	Function string
	Device   uint16
}

// Error says how it was recognised and how to get a modern device.
func (e *LegacyError) Error() string {
	return fmt.Sprintf("%s: the function %04x:%04x is a legacy virtio device: it has none of the capabilities of virtio 1.0, "+
		"which this driver needs; start it as a modern device (QEMU: -device virtio-net-pci,disable-legacy=on,disable-modern=off)",
		e.Function, vendorVirtio, e.Device)
}

// CapabilityError is a structure that a virtio capability describes and that
// cannot be used, or one that is missing.
type CapabilityError struct {
	Function  string
	At        int    // of the capability in configuration space, 0 if there is none
	Structure string // "common configuration", "notification", …
	BAR       int
	Offset    uint32 // of the structure in the BAR, bytes
	Length    uint32 // that it gives itself, bytes
	Needed    uint64 // bytes that have to be there
	Size      uint64 // of the BAR, bytes; 0 if not known
	Reason    string
	Err       error // why the BAR cannot be used, nil for other reasons
}

// Error names the structure, all the numbers and what is wrong.
func (e *CapabilityError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s structure", e.Function, e.Structure)
	if e.At != 0 {
		fmt.Fprintf(&b, " (capability at %#02x: BAR %d, offset %#x, length %#x; needed %#x, BAR size %#x)",
			e.At, e.BAR, e.Offset, e.Length, e.Needed, e.Size)
	}
	fmt.Fprintf(&b, ": %s", e.Reason)
	if e.Err != nil {
		fmt.Fprintf(&b, " (%v)", e.Err)
	}
	b.WriteString("; " + broken)
	return b.String()
}

// Unwrap returns why the BAR cannot be used.
func (e *CapabilityError) Unwrap() error { return e.Err }

// NotifyError is a doorbell that would lie outside the notification structure.
type NotifyError struct {
	Device     string
	Queue      int
	Offset     uint16 // queue_notify_off of the queue
	Multiplier uint32 // notify_off_multiplier of the structure
	Width      int    // of the doorbell, bytes
	Base       uint64 // of the structure in its BAR, bytes
	Size       uint64 // of the structure, bytes
	Reason     string
}

// Error names the queue and the numbers.
func (e *NotifyError) Error() string {
	return fmt.Sprintf("%s: virtqueue %d: its doorbell of %d bytes at %#x + %d × %d %s (the notification structure has %#x bytes); "+broken,
		e.Device, e.Queue, e.Width, e.Base, e.Offset, e.Multiplier, e.Reason, e.Size)
}
