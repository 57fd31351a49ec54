package virtq

import (
	"fmt"
	"strconv"
)

// Error says why a queue cannot be made, cannot use a pool or a cache, or cannot
// take a command.
type Error struct {
	Queue  int    // number of the virtqueue
	Field  string // what is at fault: a field of Config, "pool", "command" …
	Value  any    // what it is, nil if there is no such thing
	Limit  int    // what Value was compared with, 0 for nothing
	Reason string
	Remedy string
}

// Error names the queue, the value, what is wrong with it and what to do.
func (e *Error) Error() string {
	value := ""
	if e.Value != nil {
		value = fmt.Sprintf(" %v", e.Value)
	}
	return fmt.Sprintf("virtq: queue %d: %s%s: %s; %s", e.Queue, e.Field, value, e.Reason, e.Remedy)
}

// unboundPool is the error for a pool that the device cannot reach.
func unboundPool(queue int) error {
	return &Error{
		Queue: queue, Field: "pool",
		Reason: "it has no device addresses",
		Remedy: "attach it to the port first",
	}
}

// remedyAtLeast is the remedy for buffers that are too small.
func remedyAtLeast(bytes uint32) string {
	return "make the pool with at least " + strconv.Itoa(int(bytes)) + " bytes"
}

// BrokenError says that the device wrote what no conforming device writes, and
// that the queue stopped because of it. Only a reset of the device helps.
type BrokenError struct {
	Queue int
	// Reason is the rule that the device broke.
	Reason string
	// Value is what it wrote, and Bound what it had to be or stay below.
	Value, Bound uint64
}

// Error names the queue, the rule, the value and the bound.
func (e *BrokenError) Error() string {
	return fmt.Sprintf("virtq: queue %d is broken: %s (the device wrote %d, the bound is %d); "+
		"reset the device",
		e.Queue, e.Reason, e.Value, e.Bound)
}
