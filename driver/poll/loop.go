package poll

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// DefaultBurst is how many packets a stream receives at a time unless
// [Loop.Burst] says otherwise.
const DefaultBurst = 32

// idleRounds is how many rounds in a row find nothing before Run pauses: packets
// often come just after the queue was empty.
const idleRounds = 16

// Loop polls streams. Its fields must not be changed once it polls. Run and Poll
// belong to one goroutine, Stats may be called from any.
type Loop struct {
	// Streams are served in turn, each with one burst a round.
	Streams []Stream
	// Ports are the ports whose end ends Run: usually those that the queues of
	// Streams belong to.
	Ports []*driver.Port
	// Burst is how many packets a stream receives at most in a round; 0 means
	// DefaultBurst.
	Burst int
	// Idle is how long Run sleeps after each round once several in a row found no
	// packet. 0 yields the CPU to other goroutines without sleeping; a negative
	// Idle does not pause at all. Run notices the end of its context only after
	// it has slept.
	Idle time.Duration
	// SleepAfter is for how long rounds find no packet before Run sleeps until a device
	// interrupts, as Wait does; 0 means that it does not sleep. The ports are opened with
	// Config.Interrupts. Together with a negative Idle Run polls until then.
	SleepAfter time.Duration
	// NoSignals leaves SIGINT and SIGTERM to the application. Otherwise they end
	// Run, and not the process, while Run is in progress.
	NoSignals bool

	bufs      []*mbuf.Buf
	waiter    *driver.Waiter // of Wait, nil before the first
	idleSince time.Time
}

// Run polls until ctx ends, the process receives SIGINT or SIGTERM, or one of
// Ports ends. It returns nil in the first two cases, because that is how a loop
// is meant to end: [context.Cause] says why ctx ended. Otherwise it returns the
// error of the port that ended, which is [os.ErrClosed] if the application closed
// it. Run holds no packet when it returns, and may be called again.
//
// A memory fault, as when a back end takes memory away that it shares, does not end Run:
// the port is recovered or fails. Any other panic, and a fault in memory that is not of
// the queues of Streams, does with a [*lcore.PanicError], and Handle may then have kept
// packets for good.
func (l *Loop) Run(ctx context.Context) error {
	if !l.NoSignals {
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
		defer stop()
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer l.Close()
	for {
		if done, err := l.runUntilFault(ctx); done {
			return err
		}
	}
}

// runUntilFault polls until Run is to return, or until a memory fault that Abandon has
// dealt with.
func (l *Loop) runUntilFault(ctx context.Context) (done bool, err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		done, err = true, &lcore.PanicError{CPU: lcore.AnyCPU, Value: p, Stack: debug.Stack()}
		fault, isFault := p.(interface {
			error
			Addr() uintptr
		})
		if !isFault {
			l.Abandon(err)
		} else if l.Abandon(fault) {
			done, err = false, nil
		}
	}()
	for idle := 0; ; {
		select {
		case <-ctx.Done():
			return true, nil
		default:
		}
		for _, p := range l.Ports {
			select {
			case <-p.Done():
				return true, p.Err()
			default:
			}
		}
		if l.Poll() {
			idle = 0
			continue
		}
		idle++
		switch {
		case l.sleepDue(idle):
			idle = 0
			if err := l.Wait(ctx); err != nil && ctx.Err() == nil {
				return true, err
			}
		case idle > idleRounds:
			l.pause()
		}
	}
}

// Poll makes one round: every stream receives a burst, handles it and sends it. It
// reports whether there was a packet. It never waits, and does not check Ports.
func (l *Loop) Poll() (busy bool) {
	if l.bufs == nil {
		l.bufs = make([]*mbuf.Buf, l.burst())
	}
	for i := range l.Streams {
		if l.Streams[i].poll(l.bufs) {
			busy = true
		}
	}
	return busy
}

// Abandon is for the goroutine that calls Poll, when it has recovered from a panic whose
// value is cause: it calls [driver.RxQueue.Abandon] for all queues, and reports whether
// one of them has dealt with the panic.
func (l *Loop) Abandon(cause error) bool {
	handled := false
	for i := range l.Streams {
		s := &l.Streams[i]
		if s.Rx != nil {
			handled = s.Rx.Abandon(cause) || handled
		}
		if s.Tx != nil {
			handled = s.Tx.Abandon(cause) || handled
		}
	}
	return handled
}

// Stats returns the sums of the counters of all streams.
func (l *Loop) Stats() Stats {
	var sum Stats
	for i := range l.Streams {
		s := l.Streams[i].Stats()
		sum.Received += s.Received
		sum.Sent += s.Sent
		sum.Dropped += s.Dropped
		sum.Kept += s.Kept
	}
	return sum
}

func (l *Loop) burst() int {
	if l.Burst > 0 {
		return l.Burst
	}
	return DefaultBurst
}

func (l *Loop) pause() {
	switch {
	case l.Idle > 0:
		time.Sleep(l.Idle)
	case l.Idle == 0:
		runtime.Gosched()
	}
}
