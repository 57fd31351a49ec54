package ctrlq

import (
	"errors"
	"fmt"
)

// ErrRefused says that the device answered a command with something else than OK.
var ErrRefused = errors.New("the device refuses the command")

// ErrNoSlot says that the device has as many commands that it has not answered as it can
// have.
var ErrNoSlot = errors.New("no room for another command")

// Error is a command that failed. errors.Is finds [ErrRefused] in it if the device
// refused it, [ErrNoSlot] if it was not sent for that reason, and the cause of the
// context's end if the device did not answer in time.
type Error struct {
	Queue          int // the virtqueue
	Class, Command uint8
	Value          int // the ack of the device, or the length of the data
	Reason         string
	Remedy         string
	Err            error // the cause
}

// Error names the command, the reason, the cause and the remedy.
func (e *Error) Error() string {
	text := fmt.Sprintf("control queue %d: command %d of class %d: %s",
		e.Queue, e.Command, e.Class, e.Reason)
	if e.Err != nil {
		text += fmt.Sprintf(": %v", e.Err)
	}
	if e.Remedy != "" {
		text += "; " + e.Remedy
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
