package driver

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/eventfd"
)

// service tells goroutines that sleep until a queue has packets whether the queues are in
// service: taken from their pollers for a recovery, given back, or ended. The zero value
// is ready to use.
type service struct {
	changed     signal
	withdrawals atomic.Uint32         // times that the queues were taken for a recovery
	ended       atomic.Pointer[error] // why the port has ended
}

// withdraw says that the queues were taken from their pollers for a recovery.
func (s *service) withdraw() {
	s.withdrawals.Add(1)
	s.changed.raise()
}

// resume says that the pollers have the queues.
func (s *service) resume() { s.changed.raise() }

// end says that the port has ended.
func (s *service) end(err error) {
	s.ended.Store(&err)
	s.changed.raise()
}

// err returns why the port has ended, nil if it has not.
func (s *service) err() error {
	if err := s.ended.Load(); err != nil {
		return *err
	}
	return nil
}

// signal wakes goroutines that sleep in epoll_wait: an eventfd that is made when the first
// one wants to be woken. It is never read, so that any number of them see each edge. The zero
// value is ready to use.
type signal struct {
	mu     sync.Mutex
	fd     int
	opened bool
	closed bool
}

// raise wakes all who sleep.
func (s *signal) raise() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened {
		_ = eventfd.Add(s.fd) // nothing but a counter that is full can fail, and that is an edge, too
	}
}

// dup returns a descriptor of the eventfd, which the caller closes. An edge that was raised
// before signal is closed still reaches who has one.
func (s *signal) dup() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.opened && !s.closed {
		fd, err := eventfd.New()
		if err != nil {
			return -1, err
		}
		s.fd, s.opened = fd, true
	}
	if !s.opened {
		return -1, unix.EBADF
	}
	return dupFD(s.fd)
}

// close closes the eventfd.
func (s *signal) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened {
		_ = unix.Close(s.fd)
	}
	s.opened, s.closed = false, true
}

// dupFD returns another descriptor of the same file.
func dupFD(fd int) (int, error) { return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0) }
