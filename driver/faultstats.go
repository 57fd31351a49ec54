package driver

import (
	"errors"
	"sync/atomic"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
)

// FaultStats counts why a port had to be recovered, or failed, by the kind of the cause. A
// back end that disconnects is not among them: see Stats.Disconnects.
type FaultStats struct {
	BrokenQueue uint64 // the device wrote something invalid into a virtqueue
	NeedsReset  uint64 // the device set DEVICE_NEEDS_RESET
	LostStatus  uint64 // the device was reset behind the driver's back, or its status is wrong
	Memory      uint64 // shared memory could not be accessed
	Removed     uint64 // the device was removed
}

// Total returns the faults of all kinds.
func (f FaultStats) Total() uint64 {
	return f.BrokenQueue + f.NeedsReset + f.LostStatus + f.Memory + f.Removed
}

// faultCounters are written by the supervisor and read by any goroutine.
type faultCounters struct {
	brokenQueue, needsReset, lostStatus, memory, removed atomic.Uint64
}

// count counts a fault by its cause.
func (c *faultCounters) count(cause error) {
	var broken *QueueBrokenError
	switch {
	case errors.Is(cause, transport.ErrRemoved):
		c.removed.Add(1)
	case errors.Is(cause, ErrMemoryFault):
		c.memory.Add(1)
	case errors.As(cause, &broken):
		c.brokenQueue.Add(1)
	case errors.Is(cause, ErrNeedsReset):
		c.needsReset.Add(1)
	default:
		c.lostStatus.Add(1)
	}
}

func (c *faultCounters) load() FaultStats {
	return FaultStats{
		BrokenQueue: c.brokenQueue.Load(), NeedsReset: c.needsReset.Load(),
		LostStatus: c.lostStatus.Load(), Memory: c.memory.Load(), Removed: c.removed.Load(),
	}
}
