package ctrlq

import (
	"fmt"
	"time"
)

// TimeoutError is a command that the device did not answer in time.
type TimeoutError struct {
	Queue          int // the virtqueue
	Class, Command uint8
	Waited         time.Duration
	Err            error // the context's error
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("control queue %d: no answer to command %d of class %d after %v (%v); no more commands can be sent before a reset; packets are not affected",
		e.Queue, e.Command, e.Class, e.Waited.Round(time.Millisecond), e.Err)
}

func (e *TimeoutError) Unwrap() error { return e.Err }

// RefusedError is a command that the device answered with anything but OK.
type RefusedError struct {
	Queue          int // the virtqueue
	Class, Command uint8
	Ack            uint8 // 1 is ERR; 255 is no answer, though the device says it is done
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("control queue %d: the device refuses command %d of class %d with %d", e.Queue, e.Command, e.Class, e.Ack)
}

// DataError is a command with more data than there is room for.
type DataError struct {
	Class, Command uint8
	Len            int
}

func (e *DataError) Error() string {
	return fmt.Sprintf("control queue: %d bytes of data for command %d of class %d; at most %d can be sent", e.Len, e.Command, e.Class, MaxData)
}

// DeadlineError is a command with a context that is never done.
type DeadlineError struct{ Class, Command uint8 }

func (e *DeadlineError) Error() string {
	return fmt.Sprintf("control queue: command %d of class %d without a deadline; the device may never answer: use context.WithTimeout", e.Command, e.Class)
}
