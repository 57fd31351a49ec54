package driver

import (
	"context"
	"os"

	"golang.org/x/sys/unix"
)

// Wait is [RxQueue.Wait] for all queues of the Waiter: it returns nil when one of them may
// have packets. A port that is being recovered does not keep it from sleeping until a queue
// of another has some.
func (w *Waiter) Wait(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.epoll < 0 {
		return os.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	w.wakeAtEnd(ctx)
	for {
		end, ready, err := notAsleep, false, error(nil)
		if ready, err = w.arm(); !ready && err == nil {
			end, err = w.sleep()
		}
		if w.disarm(end) {
			ready = true
		}
		if err != nil || ready {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// wakeAtEnd has the end of ctx wake the sleeper, from now on and not only in this Wait.
func (w *Waiter) wakeAtEnd(ctx context.Context) {
	done := ctx.Done()
	if done == w.done {
		return
	}
	if w.stopWake != nil {
		w.stopWake()
		w.stopWake = nil
	}
	if w.done = done; done != nil {
		w.stopWake = context.AfterFunc(ctx, w.wake.raise)
	}
}

// arm asks for interrupts, and reports whether there is something to do already. A queue
// that is out of service has none.
func (w *Waiter) arm() (ready bool, err error) {
	w.starved = false
	for i := range w.queues {
		q := &w.queues[i]
		p := &w.ports[q.port]
		// Before the gate: a withdrawal that is counted here has closed it.
		withdrawals := p.withdrawals.Load()
		if !q.gate.Enter() {
			if err := p.changes(); err != nil {
				return false, err
			}
			continue
		}
		p.seen = withdrawals
		if err = w.connect(i); err == nil {
			ready = !q.ring.Arm()
			q.armed = true
			w.starved = w.starved || q.ring.Starved()
		}
		q.gate.Leave()
		if ready || err != nil {
			return ready, err
		}
	}
	return false, nil
}

// connect has epoll watch the interrupt that a queue has now: another one each time that
// the device is set up. The caller is inside the queue's gate.
func (w *Waiter) connect(i int) error {
	q := &w.queues[i]
	if q.connection == q.sleep.connections {
		return nil
	}
	if q.fd >= 0 {
		// The device may keep the eventfd: to close it is not enough.
		_ = unix.EpollCtl(w.epoll, unix.EPOLL_CTL_DEL, q.fd, nil)
		_ = unix.Close(q.fd)
	}
	var err error
	if q.fd, err = dupFD(q.sleep.interrupt); err != nil {
		q.fd = -1
		return waitError("fcntl", err)
	}
	if err := w.watch(q.fd, int32(i)); err != nil {
		return err
	}
	q.connection = q.sleep.connections
	return nil
}

// changes returns why a port is out of service, once for each withdrawal. It is nil for
// one that Wait has returned already.
func (p *watchedPort) changes() error {
	if err := p.err(); err != nil {
		return err
	}
	if n := p.withdrawals.Load(); n != p.seen {
		p.seen = n
		return ErrRecovering
	}
	return nil
}

// sleepEnd is what ended a sleep.
type sleepEnd int

const (
	notAsleep sleepEnd = iota
	woken              // by an interrupt, the context, a port or a signal
	timedOut           // by lostInterval
	starved            // by starvedInterval
)

// sleep sleeps until something happens or the bound is over. This is a system call and not
// the runtime's poller: the thread that sleeps is the one that goes on.
func (w *Waiter) sleep() (sleepEnd, error) {
	bound, end := lostInterval, timedOut
	if w.starved {
		bound, end = starvedInterval, starved
	}
	n, err := unix.EpollWait(w.epoll, w.events[:], bound)
	switch {
	case err == unix.EINTR:
		return woken, nil
	case err != nil:
		return woken, waitError("epoll_wait", err)
	case n == 0:
		return end, nil
	}
	for _, e := range w.events[:n] {
		switch {
		case e.Fd >= 0:
			w.queues[e.Fd].raised = true
		case e.Fd == wokenByPort:
			for i := range w.ports {
				if err := w.ports[i].changes(); err != nil {
					return woken, err
				}
			}
		}
	}
	return woken, nil
}

// disarm ends what arm began, and reports whether a queue has packets.
func (w *Waiter) disarm(end sleepEnd) (ready bool) {
	for i := range w.queues {
		q := &w.queues[i]
		if !q.armed || !q.gate.Enter() {
			continue
		}
		used := q.ring.Disarm()
		if end == timedOut && !used {
			q.ring.Overslept()
		}
		q.gate.Leave()
		q.armed = false
		q.sleep.waited.count(end, q.raised, used)
		q.raised = false
		ready = ready || used
	}
	return ready
}

// count counts the end of a sleep. used says whether the queue had packets.
func (s *waitStats) count(end sleepEnd, interrupted, used bool) {
	if end == notAsleep {
		return
	}
	s.waits.Add(1)
	switch {
	case interrupted && used:
		s.interrupts.Add(1)
	case interrupted:
		s.interrupts.Add(1)
		s.spurious.Add(1)
	case end == timedOut && used:
		s.lost.Add(1)
	case end == timedOut:
		s.timeouts.Add(1)
	}
}
