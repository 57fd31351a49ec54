package mbuf

import (
	"errors"
	"fmt"
	"strings"
)

// ErrInUse is what errors.Is finds in the error of [Pool.Release] while not all
// buffers are free in the pool, and in that of a port that cannot detach a pool.
var ErrInUse = errors.New("mbuf: the pool is in use")

// Error is a [Config] that makes no pool, device addresses that a pool cannot have,
// a released pool that is to be attached, in which errors.Is finds [os.ErrClosed], or an
// offload that a packet cannot have. Nothing was changed.
type Error struct {
	Op     string // "new pool", "bind pool", "attach pool", or that of an offload
	Field  string // the field of Config, or "page 3" of the pool's memory; "" for all of them
	Value  any    // of the field, or the device address of the page
	Reason string
	Remedy string // "" if the application cannot do anything about it

	kind error // what errors.Is answers with
}

// Is reports whether target is os.ErrClosed and the pool was released.
func (e *Error) Is(target error) bool { return e.kind != nil && e.kind == target }

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "mbuf: %s: ", e.Op)
	if e.Field != "" {
		format := "%s %v: "
		if _, address := e.Value.(uint64); address {
			format = "%s at device address %#x: "
		}
		fmt.Fprintf(&b, format, e.Field, e.Value)
	}
	b.WriteString(e.Reason)
	if e.Remedy != "" {
		b.WriteString("; " + e.Remedy)
	}
	return b.String()
}

// BusyError is a pool that cannot be released because not all of its buffers are
// free in it. errors.Is finds [ErrInUse] in it.
type BusyError struct {
	// Out counts the buffers that the application holds or that are posted to a
	// device, Cached those in caches that were not flushed.
	Out, Cached int
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("mbuf: release pool: it is in use: "+
		"%d buffers are held or posted and %d are in caches; close the ports, "+
		"free the buffers and flush the caches first", e.Out, e.Cached)
}

// Is reports whether target is [ErrInUse].
func (e *BusyError) Is(target error) bool { return target == ErrInUse }
