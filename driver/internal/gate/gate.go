// Package gate keeps the goroutine that polls a queue, the poller, apart from the
// one that takes the queue out of service, the closer. The poller enters and leaves
// once a burst and never waits; the closer closes the gate and waits until the poller
// is out.
//
// It is Dekker's protocol: the poller marks itself inside and then reads whether the
// gate is closed, the closer closes the gate and then reads whether the poller is
// inside. At least one of them sees the other, provided that neither load overtakes
// the store before it. A fence would cost the poller more than the rest of an empty
// burst, so the poller has none, and the closer, which runs rarely, has the kernel
// issue one on every CPU that runs this program: membarrier(2). Where the kernel does
// not have it, the poller's marks are atomic exchanges.
package gate

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Gate guards one queue. Init is called before anything else.
type Gate struct {
	inside   uint32 // 1 during a burst; written by the poller only
	exchange bool   // the poller's marks are exchanges; set by Init
	closed   atomic.Bool
	refused  atomic.Uint64
}

// Init prepares the gate, closed or open, before the poller's first Enter.
func (g *Gate) Init(closed bool) {
	g.exchange = membarrier(membarrierRegisterPrivateExpedited) != nil
	g.closed.Store(closed)
}

// Enter reports whether the poller may use the queue. If so, the poller calls Leave
// afterwards, and otherwise it does not. A second goroutine that comes while the
// poller is inside is mostly noticed, and refused: the two may still pass each other
// between the read of the mark and its store.
func (g *Gate) Enter() bool {
	if g.isInside() {
		g.refused.Add(1)
		return false
	}
	if atomicMarks || g.exchange {
		atomic.StoreUint32(&g.inside, 1)
	} else {
		g.inside = 1
	}
	if g.closed.Load() {
		atomic.StoreUint32(&g.inside, 0)
		return false
	}
	return true
}

// isInside reads the poller's mark on the poller's side, where it costs next to
// nothing.
func (g *Gate) isInside() bool {
	if atomicMarks {
		return atomic.LoadUint32(&g.inside) != 0
	}
	return g.inside != 0
}

// Inside reports whether the poller is inside. Only the poller calls it, to find a burst
// that a panic ended before Leave.
func (g *Gate) Inside() bool { return g.isInside() }

// Refused returns how many times Enter refused a goroutine because another one was
// inside. It may be called from any goroutine.
func (g *Gate) Refused() uint64 { return g.refused.Load() }

// Leave ends what Enter began. Everything that the poller did to the queue is visible
// before its mark is gone, or the closer could take the queue apart in the middle of
// a burst: on amd64 stores are not reordered, elsewhere the store is a release.
func (g *Gate) Leave() {
	if atomicMarks || g.exchange {
		atomic.StoreUint32(&g.inside, 0)
	} else {
		g.inside = 0
	}
}

// Open opens the gate again.
func (g *Gate) Open() { g.closed.Store(false) }

// Close closes the gates and waits, at most limit, until no poller is inside any
// of them. It returns the index of one that a poller is still inside, -1 for none.
func Close(gates []*Gate, limit time.Duration) int {
	for _, g := range gates {
		g.closed.Store(true)
	}
	// Without the fence the mark of a poller that is inside could still be in the
	// store buffer of its CPU. Where the kernel does not have membarrier the marks are
	// exchanges and need none; where it is short of memory, waiting does the same: no
	// store stays in a store buffer for a millisecond.
	for tries := 0; tries < 3 && membarrier(membarrierPrivateExpedited) != nil; tries++ {
		time.Sleep(time.Millisecond)
	}
	deadline := time.Now().Add(limit)
	pause := time.Microsecond
	checks := 0
	for i, g := range gates {
		for atomic.LoadUint32(&g.inside) != 0 {
			// Time alone is no measure: if the whole machine was stopped, the
			// deadline has passed before the poller has run again.
			if checks++; checks > minChecks && time.Now().After(deadline) {
				return i
			}
			time.Sleep(pause) // a burst takes some microseconds, unless its thread lost the CPU
			pause = min(2*pause, time.Millisecond)
		}
	}
	return -1
}

// minChecks is how often Close checks at least, mostly a millisecond apart.
const minChecks = 20

// Commands of membarrier(2).
const (
	membarrierPrivateExpedited         = 1 << 3
	membarrierRegisterPrivateExpedited = 1 << 4
)

// membarrier has the kernel issue a full fence on every CPU that runs a thread
// of this process.
func membarrier(cmd uintptr) error {
	if _, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, cmd, 0, 0); errno != 0 {
		return errno
	}
	return nil
}
