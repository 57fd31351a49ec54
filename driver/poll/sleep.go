package poll

import (
	"context"
	"errors"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
)

// Wait sleeps until a stream has packets, with [driver.Waiter.Wait], having freed what was
// sent. It is for a caller of Poll, as an adaptive core of package lcore, and returns nil
// when a port begins to recover, whose queues are then waited for as well. With a stream
// that has no receive queue there is always something to do: it returns at once. Close
// releases what it uses.
func (l *Loop) Wait(ctx context.Context) error {
	if l.waiter == nil {
		var queues []*driver.RxQueue
		for i := range l.Streams {
			if l.Streams[i].Rx == nil {
				return ctx.Err()
			}
			queues = append(queues, l.Streams[i].Rx)
		}
		var err error
		if l.waiter, err = driver.NewWaiter(queues...); err != nil {
			return err
		}
	}
	for i := range l.Streams {
		if tx := l.Streams[i].Tx; tx != nil {
			tx.Reclaim()
		}
	}
	err := l.waiter.Wait(ctx)
	if errors.Is(err, driver.ErrRecovering) {
		return nil
	}
	return err
}

// Close releases what Wait uses. The loop may be used again.
func (l *Loop) Close() {
	if l.waiter != nil {
		l.waiter.Close()
		l.waiter = nil
	}
}

// sleepDue reports whether rounds have found nothing for SleepAfter. idle is how many in a
// row; the time is looked at every few of them.
func (l *Loop) sleepDue(idle int) bool {
	switch {
	case l.SleepAfter <= 0:
		return false
	case idle == 1:
		l.idleSince = time.Now()
	}
	return idle%idleRounds == 0 && time.Since(l.idleSince) >= l.SleepAfter
}
