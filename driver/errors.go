package driver

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
)

// ErrNeedsReset says that the device has set DEVICE_NEEDS_RESET in its status: it
// met an error that only a reset ends. [errors.Is] finds it in [Port.Err].
var ErrNeedsReset = errors.New("the device needs a reset")

// Error is what [Open] and the methods of a [Port] and its queues fail with, apart
// from the other types of this package and the errors of the transport. Fields
// that do not apply are empty. [errors.Is] answers for it with
//
//   - [os.ErrClosed] for a call on a port that was closed,
//   - [errors.ErrUnsupported] for a legacy device, for a choice of features that the
//     device refuses, and for a command whose feature was not negotiated,
//   - [ErrRefused] for a command that the device refuses, and
//     [context.DeadlineExceeded] for one that it did not answer in time,
//   - [ErrNeedsReset] for a device that asks for a reset,
//   - [transport.ErrRemoved] for a device that is gone or about to be.
type Error struct {
	Device string // the Name of the port, empty for a Config that no device could have
	Op     string // what failed: "config", "FEATURES_OK", …
	Field  string // what Value belongs to: a field of Config, "virtqueue", …
	Value  any    // the value that was refused or found
	Reason string // what is wrong, with the bound that was exceeded
	Remedy string // what the user can do
	Err    error  // the cause

	kind error // what errors.Is answers with
}

// Error names the device, the operation, the value, the reason and the remedy.
func (e *Error) Error() string {
	var parts []string
	for _, s := range []string{e.Device, e.Op} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if e.Field != "" {
		parts = append(parts, fmt.Sprintf("%s %v", e.Field, e.Value))
	}
	if e.Reason != "" {
		parts = append(parts, e.Reason)
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	text := strings.Join(parts, ": ")
	if e.Remedy != "" {
		text += "; " + e.Remedy
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is one of the errors above and says what this one is.
func (e *Error) Is(target error) bool { return e.kind != nil && e.kind == target }

// PoolError says that a port cannot receive into the buffers of a pool: they are
// too small.
type PoolError struct {
	Device string
	Value  int // what the pool has
	Need   int // what it would have to have
	Reason string
	Remedy string
}

// Error names the device, what the pool has, what is needed and the remedy.
func (e *PoolError) Error() string {
	return fmt.Sprintf("%s: pool: %s: %d, and %d are needed; %s",
		e.Device, e.Reason, e.Value, e.Need, e.Remedy)
}

// QueueBrokenError says that the device wrote something invalid into a virtqueue,
// so that the queue is not used any more. A port recovers from it by a reset.
type QueueBrokenError struct {
	Device string
	Queue  int   // the virtqueue
	Err    error // what the device wrote
}

// Error names the device, the virtqueue and what the device wrote.
func (e *QueueBrokenError) Error() string {
	return fmt.Sprintf("%s: virtqueue %d is broken: %v", e.Device, e.Queue, e.Err)
}

// Unwrap returns what the device wrote.
func (e *QueueBrokenError) Unwrap() error { return e.Err }

// RecoveryError says that a port could not be recovered.
type RecoveryError struct {
	Device string
	Resets int   // or refusals, within the Window of [Recovery]
	Cause  error // why the last recovery began
	Err    error // why the device could not be set up again, nil if it could but failed again
}

// Error names the device, the number of resets, the cause and the remedy.
func (e *RecoveryError) Error() string {
	text := fmt.Sprintf("%s: given up after %d attempts: %v", e.Device, e.Resets, e.Cause)
	if e.Err != nil {
		text += fmt.Sprintf("; setting the device up again failed: %v", e.Err)
	}
	return text + "; close the port, and look at the host's log for what is wrong with the device"
}

// Unwrap returns why the recovery began, and why it failed.
func (e *RecoveryError) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Cause}
	}
	return []error{e.Cause, e.Err}
}

// MemoryKeptError says that memory was deliberately not released, because the
// device could not be stopped and may still be writing to it, or because a
// goroutine is still inside a burst.
type MemoryKeptError struct {
	Device string
	Bytes  int   // that the port kept, without the pools of the caller that it has mapped
	Err    error // why the device could not be stopped, or which queue is in a burst
}

// Error names the device, the memory, the cause and the remedy.
func (e *MemoryKeptError) Error() string {
	return fmt.Sprintf("%s: %d bytes of memory are kept for good, and with them all pools that the port has, "+
		"as they may still be in use: %v", e.Device, e.Bytes, e.Err)
}

// Unwrap returns the cause.
func (e *MemoryKeptError) Unwrap() error { return e.Err }

// closedError returns the error of a call on a port that was closed.
func closedError(device string) error {
	return &Error{Device: device, Reason: "the port is closed", kind: os.ErrClosed}
}

// removedError returns the error of a device that is gone, and how that was
// noticed.
func removedError(device string, err error) error {
	return &Error{Device: device, Reason: "the device was removed", Err: err,
		Remedy: "close the port", kind: transport.ErrRemoved}
}
