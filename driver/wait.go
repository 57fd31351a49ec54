package driver

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sys/unix"

	counters "github.com/virtio-pmd/virtio-pmd/driver/internal/stat"
)

// ErrRecovering is returned by [RxQueue.Wait] and [Waiter.Wait] when the queues were taken
// out of service to recover the port. Bursts return 0 until they are back.
var ErrRecovering = errors.New("the port is being recovered")

const (
	// lostInterval bounds the sleep, so that an interrupt which a device forgets or loses
	// delays packets by no more than that.
	lostInterval = 100 // milliseconds
	// starvedInterval is the bound while a queue has no buffer for the device.
	starvedInterval = 5 // milliseconds
)

// sleeper is what a receive queue has for goroutines that wait for it.
type sleeper struct {
	service    *service // of the port
	interrupts bool     // the port was opened with them

	// The gate is closed when these change.
	interrupt   int    // eventfd of the device's interrupt, -1 for none
	connections uint32 // times that it was set

	mu     sync.Mutex // guards the next two
	waiter *Waiter    // of RxQueue.Wait, nil before the first
	closed bool

	waited waitStats
}

// waitStats counts how a queue was waited for. The goroutine that waits writes it.
type waitStats struct {
	waits, interrupts, spurious, timeouts, lost counters.Counter
}

// Wait sleeps until the queue has packets, which [RxQueue.Burst] then returns, or ctx ends.
// It belongs to the goroutine that calls Burst. The thread sleeps in the kernel until the
// device interrupts, and the device is asked to interrupt only while it does. There is no
// gap: what arrives before the sleep ends Wait at once. An interrupt without a packet does
// not end it, and one that the device loses delays packets by a tenth of a second at
// most ([RxQueueStats] counts both). A queue whose pool is empty is filled again
// meanwhile. Buffers that a transmit queue has sent are not: call [TxQueue.Reclaim] before. A
// queue that is stopped has no packets: Wait lasts until it is started and has some.
//
// Wait returns nil if there may be packets, the error of ctx, [ErrRecovering] once for each
// recovery that begins after the first Wait, and what [Port.Err] returns when the port has
// ended. Otherwise a Wait during a recovery lasts until it is over and there are packets.
// Without Config.Interrupts the error is [errors.ErrUnsupported]. It allocates nothing as
// long as ctx is the same as the last time.
func (q *RxQueue) Wait(ctx context.Context) error {
	w, err := q.sleep.ownWaiter(q)
	if err != nil {
		return err
	}
	return w.Wait(ctx)
}

// ownWaiter returns the Waiter for q alone, whose sleeper s is.
func (s *sleeper) ownWaiter(q *RxQueue) (*Waiter, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, s.service.err()
	}
	if s.waiter == nil {
		w, err := NewWaiter(q)
		if err != nil {
			return nil, err
		}
		s.waiter = w
	}
	return s.waiter, nil
}

// close ends the Waiter of Wait. The port has ended.
func (s *sleeper) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.waiter != nil {
		s.waiter.Close()
	}
	closeAll(s.interrupt)
	s.interrupt = -1
}

// setInterrupt sets the eventfd of the device's interrupt, of which the sleeper keeps a
// duplicate. The gate is closed.
func (s *sleeper) setInterrupt(fd int) error {
	own, err := dupFD(fd)
	if err != nil {
		return waitError("fcntl", err)
	}
	closeAll(s.interrupt)
	s.interrupt = own
	s.connections++
	return nil
}

// Waiter sleeps until one of several receive queues has packets. The queues may be of
// different ports, and belong to the goroutine that calls Wait.
type Waiter struct {
	mu     sync.Mutex // held by Wait
	queues []watchedQueue
	ports  []watchedPort

	epoll   int // -1 when closed
	events  [16]unix.EpollEvent
	starved bool // the device has no buffers for a queue

	wake     signal // raised when the context of Wait ends
	wakeFD   int
	done     <-chan struct{} // of that context
	stopWake func() bool
}

// watchedQueue is a queue and what the Waiter knows of it.
type watchedQueue struct {
	*RxQueue
	connection uint32 // which of its interrupts epoll has
	fd         int    // of that, the Waiter's; -1 for none
	port       int    // its place in ports
	armed      bool   // by this Wait
	raised     bool   // the device has interrupted
}

// watchedPort is a port of some of the queues.
type watchedPort struct {
	*service
	fd   int    // of its changes
	seen uint32 // withdrawals that Wait knows of
}

// What woke Wait, beside queues, which have their number.
const (
	wokenByContext = -1
	wokenByPort    = -2
)

// NewWaiter returns a Waiter for these queues, which the caller closes. The error is
// [errors.ErrUnsupported] for a queue of a port that was opened without Config.Interrupts.
func NewWaiter(queues ...*RxQueue) (*Waiter, error) {
	w := &Waiter{epoll: -1, wakeFD: -1}
	for _, q := range queues {
		if err := q.checkInterrupts(); err != nil {
			return nil, err
		}
		w.queues = append(w.queues, watchedQueue{RxQueue: q, fd: -1})
	}
	if err := w.open(); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// checkInterrupts refuses to wait for a device that was not asked for interrupts.
func (q *RxQueue) checkInterrupts() error {
	if q.sleep.interrupts {
		return nil
	}
	return &Error{Device: q.device, Op: "wait", Field: "virtqueue", Value: q.index,
		Reason: "the port was opened without interrupts",
		Remedy: "set Config.Interrupts, on a command line intr=1", kind: errors.ErrUnsupported}
}

// open makes the descriptors that do not belong to a queue.
func (w *Waiter) open() (err error) {
	if w.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return waitError("epoll_create1", err)
	}
	if w.wakeFD, err = w.wake.dup(); err != nil {
		return waitError("eventfd", err)
	}
	if err := w.watch(w.wakeFD, wokenByContext); err != nil {
		return err
	}
	for i := range w.queues {
		if err := w.watchPort(&w.queues[i]); err != nil {
			return err
		}
	}
	return nil
}

// watchPort watches the port of a queue, once.
func (w *Waiter) watchPort(q *watchedQueue) error {
	for i, p := range w.ports {
		if p.service == q.sleep.service {
			q.port = i
			return nil
		}
	}
	if err := q.sleep.service.err(); err != nil {
		return err
	}
	seen := q.sleep.service.withdrawals.Load()
	fd, err := q.sleep.service.changed.dup()
	if err != nil {
		return waitError("eventfd", err)
	}
	q.port = len(w.ports)
	w.ports = append(w.ports, watchedPort{service: q.sleep.service, fd: fd, seen: seen})
	return w.watch(fd, wokenByPort)
}

// watch has epoll report edges of an eventfd, which is never read: others may have it, too.
func (w *Waiter) watch(fd int, number int32) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: number}
	if err := unix.EpollCtl(w.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return waitError("epoll_ctl", err)
	}
	return nil
}

func waitError(op string, err error) error {
	return &Error{Op: "wait", Field: "system call", Value: op, Err: err,
		Remedy: "raise the limit on open files (ulimit -n)"}
}

// Close releases the Waiter. A Wait in another goroutine is not ended by it: end its
// context first.
func (w *Waiter) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopWake != nil {
		w.stopWake()
		w.stopWake = nil
	}
	w.wake.close()
	for _, q := range w.queues {
		closeAll(q.fd)
	}
	for _, p := range w.ports {
		closeAll(p.fd)
	}
	closeAll(w.epoll, w.wakeFD)
	w.epoll, w.wakeFD, w.queues, w.ports = -1, -1, nil, nil
}

// closeAll closes those descriptors that are open.
func closeAll(fds ...int) {
	for _, fd := range fds {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}
