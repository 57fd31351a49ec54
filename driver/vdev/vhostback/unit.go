package vhostback

import (
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/vhostback/internal/raw"
)

// unit is an engine and the eventfds of its rings. A Backend uses one for peer after
// peer, until a peer blocks it: memory that is shared can be a file whose pages never
// come, as on a network disk that hangs, and an access then takes a thread for good. It
// takes the unit with it, and the Backend goes on with another.
//
// Memory is not touched before the kernel was asked to make it present. That waits in a
// system call: the Go runtime cannot stop a thread that waits in an access, and would
// stop all others.
type unit struct {
	engine engine
	device *vdev.VhostDevice // nil in raw mode
	calls  *calls
	faults *eventfds // by which failures of rings are reported
	kicks  *kicks
	failed chan struct{} // the engine may have stopped by itself

	lost    atomic.Bool // given up: nothing may use the wire or the Backend any more
	session waiter      // of the goroutine that handles messages
	moving  waiter      // of the one that moves packets
}

// waiter is a goroutine that may wait for memory of the peer.
type waiter struct{ since atomic.Int64 } // in ns, 0 if it does not wait, claimed if it is given up

const claimed = -1

// errLost is what a goroutine of a unit that was given up ends with.
var errLost = errors.New("the memory of the peer came too late")

// wait calls do, which may wait for memory of the peer.
func (u *unit) wait(w *waiter, do func() error) error {
	since := time.Now().UnixNano()
	if u.lost.Load() || !w.since.CompareAndSwap(0, since) {
		return errLost
	}
	err := do()
	if !w.since.CompareAndSwap(since, 0) || u.lost.Load() {
		return errLost
	}
	return err
}

// claim gives the goroutine up if it waits, and reports whether it does: then its wait
// ends with errLost, whenever that is.
func (w *waiter) claim() bool {
	since := w.since.Load()
	return since == claimed || since != 0 && w.since.CompareAndSwap(since, claimed)
}

// waits returns for how long a goroutine waits for memory of the peer, 0 if none does.
func (u *unit) waits() (longest time.Duration) {
	for _, w := range []*waiter{&u.session, &u.moving} {
		if since := w.since.Load(); since > 0 {
			longest = max(longest, time.Duration(time.Now().UnixNano()-since), 1)
		}
	}
	return longest
}

// abandon gives the unit up, and returns when its engine will not use the wire any more:
// it was stopped, or it waits and will stop.
func (u *unit) abandon() {
	u.lost.Store(true)
	stopped := make(chan struct{})
	go func() {
		u.engine.End()
		close(stopped)
	}()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for !u.moving.claim() {
		select {
		case <-stopped:
			return
		case <-ticker.C:
		}
	}
}

// newUnit makes a unit. One that takes the place of another, nil for none, has the wire
// of that.
func (b *Backend) newUnit(before *unit) (*unit, error) {
	u := &unit{failed: make(chan struct{}, 1)}
	failed := func() {
		select {
		case u.failed <- struct{}{}:
		default:
		}
	}
	broken := func(ring int, err error) {
		if !u.lost.Load() {
			b.endConnection(eventfdError(ring, err))
		}
	}
	pairs := max(b.cfg.Device.Pairs, 1)
	u.calls = newCalls(2*pairs, failed, broken)
	u.faults = newEventfds(2*pairs, broken)
	var err error
	switch {
	case b.cfg.Raw != nil:
		u.engine, err = raw.New(raw.Config(*b.cfg.Raw), pairs, failed)
	case before != nil:
		u.device, err = before.device.Replace(u.calls)
		u.engine = u.device
	default:
		u.device, err = vdev.NewVhost(b.cfg.Device, u.calls)
		u.engine = u.device
	}
	if err != nil {
		return nil, err
	}
	if u.kicks, err = newKicks(2*u.engine.Pairs(), u.engine.Notify); err != nil {
		return nil, errors.Join(descriptorError("epoll of kicks", err), u.engine.Close())
	}
	return u, nil
}

// close releases everything but the wire, which engine.Close does.
func (u *unit) close() {
	u.kicks.close()
	u.calls.close()
	u.faults.close()
}

// populate has the kernel make the pages of n bytes at an offset of a region present.
// What it does not achieve, on kernels before Linux 5.14 or because the file was
// truncated, is left to the access.
func (r *region) populate(off, n uint64) {
	const page = 4096
	from := r.start + off
	first := from &^ (page - 1)
	last := min((from+n+page-1)&^(page-1), uint64(len(r.mapped)))
	for range 100 {
		err := unix.Madvise(r.mapped[first:last], unix.MADV_POPULATE_WRITE)
		if err != unix.EINTR && err != unix.EAGAIN {
			return
		}
	}
}
