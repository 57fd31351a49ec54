package vdev

import "fmt"

// Error is a configuration that no device can be made with, memory that cannot be
// mapped for a device, or a virtqueue that cannot be started.
type Error struct {
	Op     string // "device configuration", "device memory" or "virtqueue" and its number
	Field  string // the field of a configuration, "" in other errors
	Value  any    // what is wrong, nil if Reason says it
	Reason string
	Remedy string // "" if there is none
}

// Error names the operation, the value, the reason and the remedy.
func (e *Error) Error() string {
	text := e.Op + ": "
	if e.Field != "" {
		text += e.Field + " = "
	}
	if e.Value != nil {
		text += fmt.Sprintf("%v: ", e.Value)
	}
	text += e.Reason
	if e.Remedy != "" {
		text += "; " + e.Remedy
	}
	return text
}

const opConfig = "device configuration"

// mapError is memory of a size at a device address that cannot be mapped or
// unmapped.
func mapError(addr uint64, size int, reason string) *Error {
	return &Error{Op: "device memory", Value: fmt.Sprintf("%d bytes at %#x", size, addr), Reason: reason}
}

// ringError is a virtqueue that cannot be started.
func ringError(queue int, format string, args ...any) *Error {
	return &Error{Op: fmt.Sprintf("virtqueue %d", queue), Reason: fmt.Sprintf(format, args...)}
}
