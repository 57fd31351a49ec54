package transport

import (
	"errors"
	"fmt"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// What errors.Is answers for the errors of transports, and of everything above.
var (
	// ErrRemoved: the device is gone for good, as after a hot unplug.
	ErrRemoved = errors.New("device removed")
	// ErrDisconnected: the back end has ended the connection and may come back.
	ErrDisconnected = errors.New("back end disconnected")
)

// ResetError is a device that did not confirm its reset in time. It may still
// be using every address it was given.
type ResetError struct {
	Device string        // the transport's Name
	Status virtio.Status // what the device status read last
	Waited time.Duration
	Err    error // why the wait ended, the context's error
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

// GoneError is a device that no longer answers: unplugged, or its back end ended.
type GoneError struct {
	Device string
	Err    error // what the last access failed with, nil if it read all ones
}

// Error names the device and how it was noticed.
func (e *GoneError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: the device is gone: %v", e.Device, e.Err)
	}
	return fmt.Sprintf("%s: the device is gone: every register reads as all ones; it was unplugged or has failed", e.Device)
}

// Unwrap returns what the last access failed with.
func (e *GoneError) Unwrap() error { return e.Err }

// Is reports whether target is ErrRemoved.
func (e *GoneError) Is(target error) bool { return target == ErrRemoved }

// DisconnectedError is a device whose back end ended the connection, or with
// which it had to be ended. The transport is already waiting for it to come
// back, and says so with the event Reconnected.
type DisconnectedError struct {
	Device string
	Err    error // how the connection ended
}

// Error names the device and how the connection ended.
func (e *DisconnectedError) Error() string {
	return fmt.Sprintf("%s: there is no connection to the back end: %v", e.Device, e.Err)
}

// Unwrap returns how the connection ended.
func (e *DisconnectedError) Unwrap() error { return e.Err }

// Is reports whether target is ErrDisconnected.
func (e *DisconnectedError) Is(target error) bool { return target == ErrDisconnected }

// FeatureError is a set of features that a transport cannot work with.
type FeatureError struct {
	Device   string
	Missing  virtio.Features // has to be accepted, and is not
	Unusable virtio.Features // must not be accepted, and is
	Reason   string
	Remedy   string
}

// Error names the bits, the reason and what to do.
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
	text := fmt.Sprintf("%s: the device may still be using its memory, which is kept: %s", e.Device, e.Reason)
	if e.Err != nil {
		text += fmt.Sprintf(" (%v)", e.Err)
	}
	return text
}

// Unwrap returns what the attempts to stop the device failed with.
func (e *StopError) Unwrap() error { return e.Err }

// ConfigError is a part of device configuration that could not be read.
type ConfigError struct {
	Device string
	Offset int // bytes
	Length int // bytes wanted
	Width  int // bytes of one access
	Size   int // bytes of device configuration that the device has
	Tries  int // how often it was read, 0 if it was not
	Reason string
}

// Error names the part and what is wrong with it.
func (e *ConfigError) Error() string {
	text := fmt.Sprintf("%s: device configuration at %#x, %d bytes in accesses of %d: %s",
		e.Device, e.Offset, e.Length, e.Width, e.Reason)
	if e.Tries != 0 {
		return fmt.Sprintf("%s (read %d times); try again, and if it stays so restart or update what provides the device", text, e.Tries)
	}
	return fmt.Sprintf("%s (it has %d bytes); refuse the feature that this belongs to, or update what provides the device", text, e.Size)
}

// QueueError is a virtqueue that could not be set up.
type QueueError struct {
	Device string
	Queue  int
	Field  string // what the value belongs to: "queue_size", "queue_enable", …
	Value  uint64 // the value that was refused or read
	Reason string // names the bound
}

// Error names the queue, the field, the value, the bound and what may help.
func (e *QueueError) Error() string {
	return fmt.Sprintf("%s: virtqueue %d: %s is %d (%#x): %s; "+
		"take fewer or smaller queues, and if that is refused as well restart or update what provides the device", e.Device, e.Queue, e.Field, e.Value, e.Value, e.Reason)
}

// AddressError is memory that lies where the device cannot be given it.
type AddressError struct {
	Device      string
	First, Last uint64 // of the memory, both included
	Window      DMA    // what can be reached
	Reason      string
}

// Error names the addresses and the window.
func (e *AddressError) Error() string {
	return fmt.Sprintf("%s: memory at %#x to %#x: %s; allocate it between %#x and %#x",
		e.Device, e.First, e.Last, e.Reason, e.Window.First, e.Window.Last)
}
