package pci

import (
	"fmt"
	"strings"
)

// AddressError is a text that is not the address of a function.
type AddressError struct {
	Value  string // what was given
	Reason string // which part of it is wrong
}

// Error names the text, what is wrong with it and how an address is written.
func (e *AddressError) Error() string {
	return fmt.Sprintf("%q is not a PCI address: %s; write it as lspci -D does, for example "+
		"0000:00:03.0",
		e.Value, e.Reason)
}

// Error is a function whose registers are invalid, or an access that cannot be made. It answers
// [io/fs.ErrPermission] where Linux shows configuration space to root only.
type Error struct {
	Device string // address of the function, "" if not known
	Field  string // "configuration space", "capability list", or a BAR: "BAR 2"
	Offset uint64 // in bytes, in configuration space or in the BAR
	Value  uint64 // what the device has there, 0 for an access that cannot be made
	Reason string
	Remedy string // "" if there is none
	Err    error  // cause, nil if there is none
}

// Error names the field, the reason and the remedy.
func (e *Error) Error() string {
	var text strings.Builder
	if e.Device != "" {
		fmt.Fprintf(&text, "PCI function %s, ", e.Device)
	}
	fmt.Fprintf(&text, "%s: %s", e.Field, e.Reason)
	if e.Err != nil {
		fmt.Fprintf(&text, " (%v)", e.Err)
	}
	if e.Remedy != "" {
		text.WriteString("; " + e.Remedy)
	}
	return text.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

const brokenDevice = "the device is broken or not what it seems: use another one, " +
	"or update what provides it (firmware, QEMU)"

// capabilityError is an invalid value of the capability list at an offset of configuration space.
func capabilityError(offset, value int, reason string) *Error {
	return &Error{
		Field: "capability list", Offset: uint64(offset), Value: uint64(value),
		Reason: fmt.Sprintf("at offset %#02x %s (value %#x)", offset, reason, value),
		Remedy: brokenDevice,
	}
}

// barError is an invalid register of a BAR.
func barError(bar int, register uint32, reason string) *Error {
	return &Error{
		Field: fmt.Sprintf("BAR %d", bar), Offset: uint64(RegBAR0 + 4*bar), Value: uint64(register),
		Reason: reason, Remedy: brokenDevice,
	}
}
