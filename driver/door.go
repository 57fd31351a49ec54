package driver

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Commands of membarrier(2).
const (
	membarrierPrivateExpedited         = 1 << 3
	membarrierRegisterPrivateExpedited = 1 << 4
)

// door is where the goroutine that polls a queue and the one that takes the
// queue out of service meet. The poller comes in and goes out once a burst and
// never waits; the other side shuts the door and waits until nobody is inside.
//
// It is Dekker's protocol: the poller marks itself busy and then looks whether
// the door is shut, the other shuts it and then looks whether somebody is busy.
// At least one of them sees the other, provided that neither load overtakes the
// store before it. A fence would cost the poller more than the rest of an empty
// burst. So the poller goes without, and the other side, which comes here once
// in a blue moon, has the kernel issue one on every CPU that runs this program:
// membarrier(2). Where that is not to be had, the poller's marks are atomic
// exchanges.
type door struct {
	busy   uint32 // 1 inside a burst; written by the poller only
	fenced bool   // the poller's marks are exchanges; set once, before the first burst
	shut   atomic.Bool
}

// enter lets the poller in, and tells it whether it may touch the queue. Only
// then must it leave.
func (d *door) enter() bool {
	if marksAreExchanges || d.fenced {
		atomic.StoreUint32(&d.busy, 1)
	} else {
		d.busy = 1
	}
	if d.shut.Load() {
		atomic.StoreUint32(&d.busy, 0)
		return false
	}
	return true
}

// leave tells the other side that the queue is left alone. What was done to the
// queue is visible to whoever sees it: on amd64 stores are not reordered.
func (d *door) leave() {
	if marksAreExchanges || d.fenced {
		atomic.StoreUint32(&d.busy, 0)
	} else {
		d.busy = 0
	}
}

// open lets the poller in again.
func (d *door) open() { d.shut.Store(false) }

// closeDoors shuts the doors and waits, at most limit, until no poller is inside any
// of them. It returns the index of one that somebody is still in, -1 for none.
func closeDoors(doors []*door, limit time.Duration) int {
	for _, d := range doors {
		d.shut.Store(true)
	}
	// Without it a poller may be inside that is not yet seen to be. Where the
	// kernel does not have it the doors are fenced and need none; where it is
	// short of memory, time does the same: no store stays in a buffer for a
	// millisecond.
	for tries := 0; tries < 3 && membarrier(membarrierPrivateExpedited) != nil; tries++ {
		time.Sleep(time.Millisecond)
	}
	deadline := time.Now().Add(limit)
	pause := time.Microsecond
	looks := 0
	for i, d := range doors {
		for atomic.LoadUint32(&d.busy) != 0 {
			// Time alone is no measure: after a stop of the whole machine it is
			// over before the poller has had a chance.
			if looks++; looks > fewestLooks && time.Now().After(deadline) {
				return i
			}
			time.Sleep(pause) // a burst takes some microseconds, unless its thread lost the CPU
			pause = min(2*pause, time.Millisecond)
		}
	}
	return -1
}

// fewestLooks is how often closeDoors looks at least, mostly a millisecond apart.
const fewestLooks = 20

// membarrier has the kernel issue a full fence on every CPU that runs a thread
// of this process.
func membarrier(cmd uintptr) error {
	if _, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, cmd, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// needFences tells whether doors have to be fenced.
func needFences() bool {
	return membarrier(membarrierRegisterPrivateExpedited) != nil
}
