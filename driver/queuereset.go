package driver

import (
	"context"
	"errors"
	"fmt"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/gate"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// StopRxQueue takes receive queue i from the device alone (2.6.1, RING_RESET), while the
// other queues go on: its buffers are back in their pool, Burst returns 0, and packets
// that the device has for it are dropped. It may be called from any goroutine. A queue
// stays stopped across recoveries until StartRxQueue.
//
// A device without RING_RESET cannot do that: the error is [errors.ErrUnsupported]. Over
// vhost-user it takes no feature.
func (p *Port) StopRxQueue(ctx context.Context, i int) error {
	return p.device.stopQueue(ctx, virtio.RxQueueIndex(i))
}

// StopTxQueue is [Port.StopRxQueue] for a transmit queue. Packets that the device has not
// sent yet are lost and count as TxLost.
func (p *Port) StopTxQueue(ctx context.Context, i int) error {
	return p.device.stopQueue(ctx, virtio.TxQueueIndex(i))
}

// StartRxQueue gives a stopped receive queue back to the device. It has no effect on one that
// is not stopped. A device that then refuses what [Port.SetRxQueueCoalescing] has set for the
// queue has that as the error, and the queue is in use.
func (p *Port) StartRxQueue(ctx context.Context, i int) error {
	return p.device.startQueue(ctx, virtio.RxQueueIndex(i))
}

// StartTxQueue gives a stopped transmit queue back to the device.
func (p *Port) StartTxQueue(ctx context.Context, i int) error {
	return p.device.startQueue(ctx, virtio.TxQueueIndex(i))
}

// ResizeRxQueue gives receive queue i another number of descriptors, while the other
// queues go on: it is stopped and started with a ring of that size, which it keeps across
// recoveries. A stopped queue stays stopped. The bounds are those of Config.RxQueueSize.
//
// The error is a [*PoolError] if the pool has too few buffers for a larger ring, and
// [errors.ErrUnsupported] for a device without RING_RESET. The queue then has the size
// that it had.
func (p *Port) ResizeRxQueue(ctx context.Context, i, size int) error {
	return p.device.resizeQueue(ctx, virtio.RxQueueIndex(i), size)
}

// ResizeTxQueue is [Port.ResizeRxQueue] for a transmit queue. Packets that the device has
// not sent yet are lost and count as TxLost.
func (p *Port) ResizeTxQueue(ctx context.Context, i, size int) error {
	return p.device.resizeQueue(ctx, virtio.TxQueueIndex(i), size)
}

// outOfUse is a set of reasons for which a queue is kept from its poller, while others
// are in use.
type outOfUse uint8

const (
	outStopped  outOfUse = 1 << iota // by the application
	outInactive                      // its pair is beyond those that the device uses
	outReset                         // it was reset and has not been set up since
)

// stopQueue takes virtqueue q of a pair from the device.
func (d *device) stopQueue(ctx context.Context, q int) error {
	return d.reconfigure(ctx, "stop a queue", q, func(ctx context.Context) (renewed bool, _ error) {
		if err := d.checkReset(); err != nil || d.isOut(q, outStopped) {
			return false, err
		}
		if err := d.takeRing(ctx, q); err != nil {
			return false, err
		}
		d.setOut(q, outStopped)
		return false, nil
	})
}

// startQueue gives virtqueue q, which was stopped, back to the device.
func (d *device) startQueue(ctx context.Context, q int) error {
	return d.reconfigure(ctx, "start a queue", q, func(context.Context) (renewed bool, _ error) {
		if !d.isOut(q, outStopped) {
			return false, nil
		}
		if renewed = d.isOut(q, outReset); renewed {
			if err := d.giveRing(&d.plans[q]); err != nil {
				return false, err
			}
		}
		d.putIn(q, outStopped)
		return renewed, nil
	})
}

// reconfigure runs f, which changes virtqueue q, with the control queue and d.mu to itself.
// If the queue has a new ring then, the device is told what it has forgotten about it.
func (d *device) reconfigure(ctx context.Context, op string, q int,
	f func(context.Context) (renewed bool, _ error)) error {
	return d.configure(ctx, op, func(c *commander) error {
		if q < 0 || q >= 2*len(d.rx) {
			return &Error{Device: d.name, Op: op, Field: "virtqueue", Value: q,
				Reason: fmt.Sprintf("the port has %d queue pairs, counted from 0", len(d.rx)),
				Remedy: "ask for more of them in Config.Queues"}
		}
		var renewed bool
		err := c.locked(func() (err error) {
			renewed, err = f(c.ctx)
			return err
		})
		if err != nil || !renewed {
			return err
		}
		return d.settings.coalescing.restoreQueue(c, q)
	})
}

// stopAgain stops the virtqueues that were stopped before the device was reset. They were
// set up with the others, because a pair has to be before it is used. A device without
// RING_RESET keeps them, and only their pollers do not. d.mu is held.
func (d *device) stopAgain(ctx context.Context) error {
	for q := range d.plans {
		if !d.isOut(q, outStopped) || d.checkReset() != nil {
			continue
		}
		if err := d.takeRing(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// resizeQueue gives virtqueue q another size. What can be refused is refused before the
// queue is touched.
func (d *device) resizeQueue(ctx context.Context, q, size int) error {
	return d.reconfigure(ctx, "resize a queue", q, func(ctx context.Context) (renewed bool, _ error) {
		if err := d.checkReset(); err != nil || d.plans[q].cfg.Size == size {
			return false, err
		}
		if err := d.changeSize(ctx, q, size); err != nil {
			return false, err
		}
		return !d.isOut(q, outReset), nil
	})
}

// changeSize is resizeQueue for another size than the queue has. d.mu is held.
func (d *device) changeSize(ctx context.Context, q, size int) error {
	old, next := d.plans[q], d.plans[q]
	if next.cfg.Size = size; size < 1 {
		return &Error{Device: d.name, Field: next.name, Value: size,
			Reason: "a queue has at least one descriptor", Remedy: fmt.Sprintf("ask for 1 to %d", next.limit)}
	}
	if err := d.selectSize(&next); err != nil {
		return err
	}
	if err := d.checkRoom(d.current.Load(), &next); err != nil {
		return err
	}
	if err := d.claimRings(q, next); err != nil { // before there is memory, which is kept
		return err
	}
	if err := d.fitRing(&next, &old); err != nil {
		return errors.Join(err, d.claimRings(q, old))
	}
	if err := d.replaceRing(ctx, &next, &old); err != nil {
		return errors.Join(err, d.claimRings(q, old))
	}
	d.plans[q] = next
	if d.resized == nil {
		d.resized = map[int]int{}
	}
	d.resized[q] = size
	return nil
}

// fitRing finds memory for the next ring of a virtqueue, which the next one of the old size
// uses as well. d.mu is held.
func (d *device) fitRing(next, old *ringPlan) error {
	if len(next.room) < next.bytes {
		if err := d.allocateLarger(next); err != nil {
			return err
		}
		old.room, old.address = next.room, next.address
		old.useRoom()
	}
	next.useRoom()
	return nil
}

// claimRings makes r the plan of virtqueue q, if the pool has enough buffers. d.mu is
// held.
func (d *device) claimRings(q int, r ringPlan) error {
	before := d.plans[q]
	d.plans[q] = r
	err := d.claim(d.attachment(d.pool), poolNeed(d.plans))
	if err != nil {
		d.plans[q] = before
	}
	return err
}

// replaceRing ends the ring of a virtqueue and gives it the next one, or if the device
// refuses that, one as it had. d.mu is held.
func (d *device) replaceRing(ctx context.Context, next, old *ringPlan) error {
	q := next.cfg.Index
	if d.isOut(q, outStopped) {
		return nil
	}
	if err := d.takeRing(ctx, q); err != nil {
		return err
	}
	err := d.giveRing(next)
	if err == nil || errors.Is(err, ErrMemoryFault) {
		return err
	}
	if again := d.giveRing(old); again != nil {
		err = errors.Join(err, again)
		d.failQueue(q, err)
	}
	return err
}

// checkReset returns why a single virtqueue cannot be reset, nil if it can. d.mu is held.
func (d *device) checkReset() error {
	if t, ok := d.t.(transport.QueueResetter); ok {
		return t.CheckQueueReset()
	}
	return &transport.FeatureError{Device: d.name, Missing: virtio.FeatureSet(virtio.RingReset),
		Reason: "the transport cannot reset a single virtqueue",
		Remedy: "close the port and open it again"}
}

// takeRing takes virtqueue q from its poller and from the device. Its buffers are back in
// their pools then. A device that does not confirm the reset is recovered. d.mu is held.
func (d *device) takeRing(ctx context.Context, q int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := d.closeGate(q, outReset); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, d.cfg.ControlTimeout)
	defer cancel()
	if err := d.t.(transport.QueueResetter).ResetQueue(ctx, q); err != nil {
		d.failQueue(q, err)
		return err
	}
	d.drainRing(q)
	return nil
}

// drainRing returns every buffer of virtqueue q to its pool, those that its own cache has
// in advance too. d.mu is held.
func (d *device) drainRing(q int) {
	if q%2 == 0 {
		d.rx[q/2].drain()
	} else {
		d.tx[q/2].drain()
	}
	queue, _ := d.queue(q)
	queue.flush()
}

// giveRing gives the device the ring of a virtqueue that it does not have, and the queue
// to its poller unless something else keeps it out. After a memory fault the device may have
// the ring, and buffers in it: what the queue holds then is for the reset to bring back.
// d.mu is held.
func (d *device) giveRing(r *ringPlan) error {
	q := r.cfg.Index
	err := d.guarded(func() error { return d.setUpRing(r) })
	if errors.Is(err, ErrMemoryFault) {
		d.failQueue(q, err)
		return err
	}
	if err != nil {
		d.drainRing(q) // nothing was in it
		return err
	}
	if q%2 == 0 {
		d.rx[q/2].start()
	} else {
		d.tx[q/2].start()
	}
	d.putIn(q, outReset)
	return nil
}

// closeGate takes virtqueue q from its poller, for a reason that stands until putIn.
func (d *device) closeGate(q int, why outOfUse) error {
	d.gateMu.Lock()
	defer d.gateMu.Unlock()
	queue, g := d.queue(q)
	if gate.Close([]*gate.Gate{g}, burstLimit) < 0 {
		queue.out |= why
		return nil
	}
	d.openGate(q)
	return d.busyError(q)
}

// isOut reports whether virtqueue q is out of use for a reason.
func (d *device) isOut(q int, why outOfUse) bool {
	d.gateMu.Lock()
	defer d.gateMu.Unlock()
	queue, _ := d.queue(q)
	return queue.out&why != 0
}

// setOut adds a reason for which virtqueue q, whose gate is closed, is out of use.
func (d *device) setOut(q int, why outOfUse) {
	d.gateMu.Lock()
	defer d.gateMu.Unlock()
	queue, _ := d.queue(q)
	queue.out |= why
}

// putIn ends a reason for which virtqueue q is out of use, and lets its poller use it if
// there is no other.
func (d *device) putIn(q int, why outOfUse) {
	d.gateMu.Lock()
	defer d.gateMu.Unlock()
	queue, _ := d.queue(q)
	queue.out &^= why
	d.openGate(q)
}

// failQueue asks for a recovery of the device, because it may or may not have a ring of
// virtqueue q, which stays out of use until then.
func (d *device) failQueue(q int, cause error) {
	d.onBroken(&QueueBrokenError{Device: d.name, Queue: q, Err: cause})
}

// flush gives back what the queue's own cache has in advance. The gate is closed.
func (q *queue) flush() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.own.Flush()
}
