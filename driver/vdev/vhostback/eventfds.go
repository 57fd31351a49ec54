package vhostback

import (
	"errors"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/eventfd"
)

// eventfds are the eventfds, or pipes, by which the device notifies the driver, one
// for each ring. A peer has the eventfds open too, with the same flags: guard keeps it
// from blocking a write. A pipe is opened again, so that its flags are not the peer's.
type eventfds struct {
	broken func(ring int, err error) // called when one cannot be written to
	guard  eventfd.Guard

	mu  sync.Mutex // held while an eventfd is written to, and by set
	fds []int      // -1 for none
}

// newEventfds returns eventfds that call broken for one that the peer has filled, with
// a nil error, or that signal fails to write to.
func newEventfds(rings int, broken func(ring int, err error)) *eventfds {
	e := &eventfds{broken: broken, fds: make([]int, rings)}
	for i := range e.fds {
		e.fds[i] = -1
	}
	return e
}

// set replaces the eventfd of ring i, -1 for none, and owns it from now on.
func (e *eventfds) set(i, fd int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	// One that the peer keeps blocking stays open: a goroutine waits for it.
	if old := e.fds[i]; old >= 0 && e.guard.Forget(old) {
		_ = unix.Close(old)
	}
	e.fds[i] = fd
	if fd >= 0 && !isPipe(fd) { // a pipe has flags of its own
		e.guard.Watch(fd, func() { e.broken(i, nil) })
	}
}

// signal adds 1 to the eventfd of ring i, if there is one. A pipe that nothing reads is
// no error: the peer does not want to know.
func (e *eventfds) signal(i int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	fd := e.fds[i]
	if fd < 0 {
		return
	}
	if err := eventfd.Add(fd); err != nil && !errors.Is(err, unix.EPIPE) {
		e.broken(i, err)
	}
}

// close ends the guard. The eventfds have been replaced by none.
func (e *eventfds) close() { e.guard.Close() }

func isPipe(fd int) bool {
	var stat unix.Stat_t
	return unix.Fstat(fd, &stat) == nil && stat.Mode&unix.S_IFMT == unix.S_IFIFO
}
