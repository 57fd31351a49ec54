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
// not have it, the poller enters with an atomic exchange.
package gate

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Gate guards one queue. Init is called before anything else.
type Gate struct {
	inside  uint32        // 1 during a burst; written by the poller only
	state   atomic.Uint32 // 0 if the poller's ordinary mark is enough to enter
	refused atomic.Uint64
}

// Bits of Gate.state.
const (
	closed    = 1 << iota
	exchanges // the poller's mark has to be an exchange; set by Init
)

// Init prepares the gate, closed or open, before the poller's first Enter.
func (g *Gate) Init(isClosed bool) {
	var state uint32
	if membarrier(membarrierRegisterPrivateExpedited) != nil {
		state |= exchanges
	}
	if isClosed {
		state |= closed
	}
	g.state.Store(state)
}

// Enter reports whether the poller may use the queue. If so, the poller calls Leave
// afterwards, and otherwise it does not. A second goroutine that comes while the
// poller is inside is mostly noticed, and refused: the two may still pass each other
// between the read of the mark and its store.
func (g *Gate) Enter() bool {
	alone := !g.isInside()
	if alone {
		g.mark(1)
	}
	return alone && g.state.Load() == 0 || g.enterSlow(alone)
}

// enterSlow is Enter of a gate that another goroutine is inside of, or, with the mark made,
// of one that is closed or needs an exchange. It is apart so that Enter is inlined.
//
//go:noinline
func (g *Gate) enterSlow(alone bool) bool {
	if !alone {
		g.refused.Add(1)
		return false
	}
	atomic.StoreUint32(&g.inside, 1) // an exchange on amd64
	if g.state.Load()&closed != 0 {
		atomic.StoreUint32(&g.inside, 0)
		return false
	}
	return true
}

// mark sets the poller's mark.
func (g *Gate) mark(inside uint32) {
	if atomicMarks {
		atomic.StoreUint32(&g.inside, inside)
	} else {
		g.inside = inside
	}
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
func (g *Gate) Leave() { g.mark(0) }

// Open opens the gate again.
func (g *Gate) Open() { g.state.And(^uint32(closed)) }

// Close closes the gates and waits, at most limit, until no poller is inside any
// of them. It returns the index of one that a poller is still inside, -1 for none.
func Close(gates []*Gate, limit time.Duration) int {
	for _, g := range gates {
		g.state.Or(closed)
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
