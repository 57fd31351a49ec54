package virtq

import (
	"fmt"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// SizeError says that there is no ring of this size.
type SizeError struct {
	Size   int
	Packed bool
}

// Error names the size and those that there are.
func (e *SizeError) Error() string {
	if e.Packed {
		return fmt.Sprintf("virtq: queue size %d: a packed ring has 1 to 32768 descriptors", e.Size)
	}
	return fmt.Sprintf("virtq: queue size %d: a split ring has a power of two from 1 to 32768 descriptors", e.Size)
}

// SegmentsError says that an indirect table cannot have so many entries.
type SegmentsError struct{ Segments int }

// Error names the number and the bound.
func (e *SegmentsError) Error() string {
	return fmt.Sprintf("virtq: indirect tables of %d entries: ask for 0 to %d", e.Segments, MaxSegments)
}

// MemoryError says that a queue cannot be in the memory it was given.
type MemoryError struct {
	Queue       int
	Address     uint64
	Bytes, Need int
	Reason      string
}

// Error names the memory and what it would have to be.
func (e *MemoryError) Error() string {
	return fmt.Sprintf("virtq: queue %d in %d bytes at device address %#x: %s; %d bytes aligned to %d are needed", e.Queue, e.Bytes, e.Address, e.Reason, e.Need, RingAlign)
}

// HeaderError says that packets cannot have a header of this length.
type HeaderError struct{ Queue, Len int }

// Error names the length and the bounds.
func (e *HeaderError) Error() string {
	return fmt.Sprintf("virtq: queue %d: packets with a header of %d bytes: it has %d to %d", e.Queue, e.Len, virtio.NetHeaderLen, headerArea)
}

// PoolError says that a queue cannot use the buffers of a pool.
type PoolError struct {
	Queue  int
	Reason string
}

// Error names the queue and what is wrong with the pool.
func (e *PoolError) Error() string { return fmt.Sprintf("virtq: queue %d: %s", e.Queue, e.Reason) }

// FullError says that a queue has no room for a command now.
type FullError struct {
	Queue int
	// Need descriptors are needed and Free are free.
	Need, Free int
}

// Error names what is needed and what is free.
func (e *FullError) Error() string {
	return fmt.Sprintf("virtq: queue %d: %d descriptors are needed and %d are free", e.Queue, e.Need, e.Free)
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
	return fmt.Sprintf("virtq: queue %d is broken: %s (the device wrote %d, the bound is %d); reset the device", e.Queue, e.Reason, e.Value, e.Bound)
}
