package vhostback

import (
	"errors"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// eventfds are what one side of the rings is notified by, an eventfd or pipe for
// each. A peer has them too, and with them their flags: it can have a write wait,
// by taking O_NONBLOCK off and filling the counter. While packets flow that is
// its own loss; in the end empty frees who waits.
type eventfds struct {
	mu sync.Mutex // held while one is written to, and by set

	files sync.Mutex // guards those that are open; set holds both
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

// set replaces the eventfd of ring i, -1 for none, and takes it over.
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

// signal adds 1 to the eventfd of ring i, if there is one. The one way in which
// that fails is a counter at its limit, which says it all already.
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
		// A pipe can be written to without waiting whatever its flags are, since
		// Linux 6.4, and cannot be emptied from this end.
		if _, err := unix.Pwritev2(fd, [][]byte{one[:]}, -1, unix.RWF_NOWAIT); !errors.Is(err, unix.EOPNOTSUPP) {
			return
		}
	}
	_, _ = unix.Write(fd, one[:])
}

// empty takes away what fills the counters, so that nobody waits for room. It
// is for eventfds that do not matter any more: notifications are lost.
func (e *eventfds) empty() {
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

// relief is the pause between two times that eventfds are emptied.
const relief = 10 * time.Millisecond

// relieve keeps the peer's eventfds from holding anybody up, until stop is
// called. The connection is over, or will be.
func (b *Backend) relieve() (stop func()) {
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		ticker := time.NewTicker(relief)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				b.calls.empty()
				b.faults.empty()
			}
		}
	})
	return func() {
		close(done)
		running.Wait()
	}
}
