package pollers

import (
	"context"
	"errors"

	"github.com/virtio-pmd/virtio-pmd/driver"
)

// Sleeper has a poller sleep until one of its receive queues has packets: its Wait is that of an
// [lcore.Sleep]. It belongs to the goroutine of the poller.
type Sleeper struct {
	Rx []*driver.RxQueue
	Tx []*driver.TxQueue // what they have sent is freed before the sleep
	// Flush, if it is not nil, sends what waits to be sent.
	Flush func()

	waiter *driver.Waiter // nil before the first sleep
}

// Wait sleeps until a receive queue has packets, or ctx ends.
func (s *Sleeper) Wait(ctx context.Context) error {
	if s.waiter == nil {
		var err error
		if s.waiter, err = driver.NewWaiter(s.Rx...); err != nil {
			return err
		}
	}
	if s.Flush != nil {
		s.Flush()
	}
	for _, tx := range s.Tx {
		tx.Reclaim()
	}
	err := s.waiter.Wait(ctx)
	if errors.Is(err, driver.ErrRecovering) { // the next wait lasts until it has recovered
		return nil
	}
	return err
}

// Close releases what Wait uses. The poller has ended.
func (s *Sleeper) Close() {
	if s.waiter != nil {
		s.waiter.Close()
		s.waiter = nil
	}
}
