package vhostback

import (
	"errors"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// eventfds are the eventfds, or pipes, by which the device notifies the driver, one
// for each ring. A peer has them open too and shares their flags: it can block a
// write, by clearing O_NONBLOCK and filling the counter. While packets flow that
// delays only its own device; when the connection ends drain unblocks the write.
type eventfds struct {
	mu sync.Mutex // held while an eventfd is written to, and by set

	files sync.Mutex // guards fds and pipes; set holds both
	fds   []int      // -1 for none
	pipes []bool
}

func newEventfds(rings int) *eventfds {
	e := &eventfds{fds: make([]int, rings), pipes: make([]bool, rings)}
	for i := range e.fds {
		e.fds[i] = -1
	}
	return e
}

// set replaces the eventfd of ring i, -1 for none, and owns it from now on.
func (e *eventfds) set(i, fd int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.files.Lock()
	defer e.files.Unlock()
	if e.fds[i] >= 0 {
		_ = unix.Close(e.fds[i])
	}
	var stat unix.Stat_t
	e.pipes[i] = fd >= 0 && unix.Fstat(fd, &stat) == nil && stat.Mode&unix.S_IFMT == unix.S_IFIFO
	e.fds[i] = fd
}

// signal adds 1 to the eventfd of ring i, if there is one. That fails only with a
// counter at its limit, and then the driver is notified already.
func (e *eventfds) signal(i int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	fd := e.fds[i]
	if fd < 0 {
		return
	}
	var one [8]byte
	native.PutUint64(one[:], 1)
	if e.pipes[i] {
		// Since Linux 6.4 a pipe can be written to without waiting with any flags. It
		// cannot be drained from this end.
		if _, err := unix.Pwritev2(fd, [][]byte{one[:]}, -1, unix.RWF_NOWAIT); !errors.Is(err, unix.EOPNOTSUPP) {
			return
		}
	}
	_, _ = unix.Write(fd, one[:])
}

// drain resets the counters, so that no write waits for room. It is for eventfds of
// a connection that has ended: notifications are lost.
func (e *eventfds) drain() {
	e.files.Lock()
	defer e.files.Unlock()
	var count [8]byte
	for i, fd := range e.fds {
		if fd < 0 || e.pipes[i] {
			continue
		}
		_ = unix.SetNonblock(fd, true) // for the next write
		_, _ = unix.Preadv2(fd, [][]byte{count[:]}, -1, unix.RWF_NOWAIT)
	}
}

// drainInterval is the pause between two drains of the eventfds.
const drainInterval = 10 * time.Millisecond

// drainEventfds keeps the peer's eventfds from blocking a goroutine of the device,
// until stop is called. It is for the end of a connection.
func (b *Backend) drainEventfds() (stop func()) {
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		ticker := time.NewTicker(drainInterval)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				b.calls.drain()
				b.faults.drain()
			}
		}
	})
	return func() {
		close(done)
		running.Wait()
	}
}
