package main

import (
	"context"
	"errors"

	"github.com/virtio-pmd/virtio-pmd/driver"
)

// wait sleeps until a receive queue has packets, or ctx ends. What waits to be sent is sent
// before, and what was sent is freed.
func (p *poller) wait(ctx context.Context) error {
	if p.waiter == nil {
		var queues []*driver.RxQueue
		for i := range p.lanes {
			queues = append(queues, p.lanes[i].rx)
		}
		var err error
		if p.waiter, err = driver.NewWaiter(queues...); err != nil {
			return err
		}
	}
	p.flush()
	for _, o := range p.outs {
		o.tx.Reclaim()
	}
	err := p.waiter.Wait(ctx)
	if errors.Is(err, driver.ErrRecovering) { // the next wait lasts until it has recovered
		return nil
	}
	return err
}

// endWaits releases what wait uses.
func (p *poller) endWaits() {
	if p.waiter != nil {
		p.waiter.Close()
		p.waiter = nil
	}
}
