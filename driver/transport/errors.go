package transport

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Errors that errors.Is finds in what a [Transport] returns. A transport that was
// closed answers with os.ErrClosed, and a set of features that cannot be used with
// errors.ErrUnsupported.
var (
	// ErrRemoved says that the device was removed, as by a hot unplug, and does not
	// come back. A PCI function then reads as all ones.
	ErrRemoved = errors.New("device removed")
	// ErrDisconnected says that there is no connection to the back end: the back end
	// ended it, or it had to be ended. The transport waits for the next one and
	// reports it with [Reconnected].
	ErrDisconnected = errors.New("back end disconnected")
	// ErrLocal says that the cause is in this process, as a closed descriptor: neither
	// the device nor the back end can do anything about it, nor can a reset.
	ErrLocal = errors.New("error of this process")
)

// Error is what the methods of a [Transport] fail with, apart from [ResetError],
// [StopError] and [FeatureError]. Fields that do not apply are empty.
type Error struct {
	Device string // the Name of the transport
	Op     string // what failed: "virtqueue 3", "mapping memory", …
	Field  string // what Value belongs to: "queue_size", …
	Value  uint64 // the value that was refused or read
	Reason string // what is wrong, with the bound that was exceeded
	Remedy string
	Err    error // the cause; [ErrRemoved], [ErrDisconnected] and [ErrLocal] are found here
}

// Error names the device, the operation, the value, the reason and the remedy.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Device)
	if e.Op != "" {
		b.WriteString(": " + e.Op)
	}
	if e.Field != "" {
		fmt.Fprintf(&b, ": %s is %d (%#x)", e.Field, e.Value, e.Value)
	}
	if e.Reason != "" {
		b.WriteString(": " + e.Reason)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if e.Remedy != "" {
		b.WriteString("; " + e.Remedy)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ResetError is a device that did not confirm its reset in time. It may still
// be using every address it was given.
type ResetError struct {
	Device string        // the Name of the transport
	Status virtio.Status // the device status as it was last read
	Waited time.Duration
	Err    error // why the wait ended: the error of the context
}

// Error names the device and the status it stays at.
func (e *ResetError) Error() string {
	return fmt.Sprintf("%s: the reset is not finished after %v: the device status reads %#02x (%v), not 0 (%v); "+
		"its memory has to stay mapped until the device is stopped by closing it; "+
		"if that happens again, write 1 to the function's file reset in sysfs, or restart the machine that has the device",
		e.Device, e.Waited.Round(time.Millisecond), uint8(e.Status), e.Status, e.Err)
}

// Unwrap returns why the wait ended.
func (e *ResetError) Unwrap() error { return e.Err }

// StopError is a device that could not be stopped: it may still read and write
// the memory it was given, so that memory was not unmapped and must never be
// released or used for anything else.
type StopError struct {
	Device string
	Reason string
	Err    error // what the attempts to stop it failed with, nil if none was made
}

// Error names the device and what was tried.
func (e *StopError) Error() string {
	text := fmt.Sprintf("%s: the device may still be using its memory, which is kept: %s",
		e.Device, e.Reason)
	if e.Err != nil {
		text += fmt.Sprintf(" (%v)", e.Err)
	}
	return text
}

// Unwrap returns what the attempts to stop the device failed with.
func (e *StopError) Unwrap() error { return e.Err }

// FeatureError is a set of features that a transport cannot work with. errors.Is
// finds errors.ErrUnsupported in it.
type FeatureError struct {
	Device   string
	Missing  virtio.Features // has to be accepted, and is not
	Unusable virtio.Features // must not be accepted, and is
	Reason   string
	Remedy   string
}

// Error names the bits, the reason and the remedy.
func (e *FeatureError) Error() string {
	bits := ""
	if !e.Missing.Empty() {
		bits = fmt.Sprintf(" without %v", e.Missing)
	}
	if !e.Unusable.Empty() {
		bits += fmt.Sprintf(" with %v", e.Unusable)
	}
	text := fmt.Sprintf("%s: cannot work%s: %s", e.Device, bits, e.Reason)
	if e.Remedy != "" {
		text += "; " + e.Remedy
	}
	return text
}

// Unwrap returns errors.ErrUnsupported.
func (e *FeatureError) Unwrap() error { return errors.ErrUnsupported }
