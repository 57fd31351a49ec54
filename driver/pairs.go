package driver

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// SetQueuePairs has the device use the first n queue pairs and no others (5.1.9.5.5), 1 to
// [Port.Queues]. It may be called from any goroutine, while packets flow, and is set again
// after a recovery.
//
// Transmit queues beyond n take nothing from then on, and Burst returns 0. What they had
// taken is sent before, as far as the device does so within a tenth of a second; what is
// left goes back to its pool when the pair is used again, or with the next reset. Packets
// that are in receive queues beyond n can still be received. With RSS the entries of the
// table that name a pair beyond n name others in its place: see [Port.SetRSS].
//
// The error is an [*Error] for an n that is out of range, or for one of the n pairs that
// has a stopped queue. When the device refuses, it is [ErrRefused], and the pairs are those
// from before. After any other error it is not known how many pairs the device uses; the port
// transmits on those that are safe, and the next call settles it. Over vhost-user a back end
// that does not answer in time is disconnected.
func (p *Port) SetQueuePairs(ctx context.Context, n int) error { return p.device.setPairs(ctx, n) }

// ActivePairs returns how many queue pairs the device uses: the first ones of
// [Port.Queues].
func (p *Port) ActivePairs() int { return p.device.steered.Load().pairs }

// steering is how the application wants received packets to be spread. It belongs to the
// goroutine that has the control queue.
type steering struct {
	pairs int         // that are active
	rss   *RSS        // nil: the device spreads them by itself
	hash  *HashConfig // what it reports then, nil for nothing
}

// steered is steering as a device has it, with all fields filled in.
type steered = steering

// sendTime bounds for how long packets of transmit queues are waited for that are about to
// be inactive.
const sendTime = 100 * time.Millisecond

// setPairs has the device use n queue pairs.
func (d *device) setPairs(ctx context.Context, n int) error {
	const op = "SetQueuePairs"
	return d.configure(ctx, op, func(c *commander) error {
		if n < 1 || n > len(d.rx) {
			return &Error{Device: d.name, Op: op, Field: "queue pairs", Value: n,
				Reason: fmt.Sprintf("the port has %d", len(d.rx)),
				Remedy: fmt.Sprintf("ask for 1 to %d, or for more in Config.Queues", len(d.rx))}
		}
		before := d.steered.Load().pairs
		if before == n && !d.unsettled {
			return nil
		}
		if err := d.checkRunning(op, n); err != nil {
			return err
		}
		if err := d.deactivate(c.ctx, n, before); err != nil {
			return err
		}
		want := d.steering
		want.pairs = n
		return d.setSteering(c, want)
	})
}

// checkRunning refuses to use pairs that have a stopped queue: the device may only be told
// to use those that it has (5.1.9.5.5).
func (d *device) checkRunning(op string, pairs int) error {
	for q := range 2 * pairs {
		if d.isOut(q, outReset) {
			return &Error{Device: d.name, Op: op, Field: "virtqueue", Value: q,
				Reason: "it is stopped, and the device can only use a pair that it has",
				Remedy: "start it first"}
		}
	}
	return nil
}

// setSteering has the device do what is wanted. When it refuses, it goes on as before.
// When it is not known what it does, packets are transmitted on the pairs that it uses in
// either case.
func (d *device) setSteering(c *commander, want steering) error {
	before := *d.steered.Load()
	now, err := d.steerNow(c, want)
	switch {
	case err == nil:
		d.steering, d.unsettled = want, false
	case errors.Is(err, ErrRefused) && d.steerBack(c, &now) == nil:
		now = before
	default:
		now = before
		now.pairs = min(before.pairs, want.pairs)
		d.steering.pairs, d.unsettled = now.pairs, true
	}
	d.steered.Store(&now)
	d.activate(now.pairs)
	return err
}

// steerBack undoes what a device has done that refused a command. The one for the hash comes
// after that for the pairs, which it has carried out then.
func (d *device) steerBack(c *commander, refused *steered) error {
	if refused.hash == nil {
		return nil
	}
	_, err := d.steerNow(c, d.steering)
	return err
}

// steerNow is steer for a device that is in use. It holds d.mu for a transport that is
// asked, and not while it waits for the answer to a command.
func (d *device) steerNow(c *commander, want steering) (now steered, err error) {
	if _, ok := d.t.(transport.QueuePairSetter); !ok {
		return d.steer(c, want)
	}
	err = c.locked(func() (err error) {
		defer d.interruptible(c.ctx)()
		now, err = d.steer(c, want)
		return err
	})
	return now, err
}

// steerAgain has a device that was set up steer packets as the application wants, or at
// first over all pairs. d.mu is held.
func (d *device) steerAgain(ctx context.Context, n *negotiated) error {
	if d.steering.pairs == 0 {
		d.steering.pairs = n.pairs
		switch {
		case n.features.Has(virtio.NetRSS):
			d.steering.rss = &RSS{}
		case n.features.Has(virtio.NetHashReport):
			d.steering.hash = &HashConfig{}
		}
	}
	d.forgetUnsupported(n)
	c := &commander{device: d, ctx: ctx, op: "set up queue pairs", n: n}
	now, err := d.steer(c, d.steering)
	if errors.Is(err, ErrRefused) && d.forgetSteering() {
		d.log.Warn("the device refuses what SetRSS or SetHash has set; defaults are used", "err", err)
		now, err = d.steer(c, d.steering)
	}
	if err != nil {
		return err
	}
	d.unsettled = false
	d.steered.Store(&now)
	d.activate(now.pairs)
	for i := now.pairs; i < n.pairs; i++ {
		d.setOut(virtio.TxQueueIndex(i), outInactive)
	}
	return nil
}

// forgetSteering has defaults take the place of what the application has set, and reports
// whether that is something else. d.mu is held.
func (d *device) forgetSteering() (changed bool) {
	s := &d.steering
	if s.rss != nil && (s.rss.Key != nil || s.rss.Table != nil || s.rss.Types != 0 || s.rss.Unclassified != 0) {
		s.rss, changed = &RSS{}, true
	}
	if s.hash != nil && (s.hash.Key != nil || s.hash.Types != 0) {
		s.hash, changed = &HashConfig{}, true
	}
	return changed
}

// forgetUnsupported has defaults take the place of what a device does not take that was
// reset, or is another one. d.mu is held.
func (d *device) forgetUnsupported(n *negotiated) {
	s := &d.steering
	if n.features.Has(virtio.NetRSS) && s.rss != nil {
		if err := n.rss.checkRSS(d.name, *s.rss, n.pairs); err != nil {
			d.log.Warn("the device does not take what SetRSS has set any more; defaults are used", "err", err)
			s.rss = &RSS{}
		}
	}
	if n.features.Has(virtio.NetHashReport) && s.hash != nil {
		if err := n.rss.checkHash(d.name, "SetHash", s.hash.Key, s.hash.Types); err != nil {
			d.log.Warn("the device does not take what SetHash has set any more; defaults are used", "err", err)
			s.hash = &HashConfig{}
		}
	}
}

// steer sends the commands for what is wanted, and returns what the device does then. The
// last command of the class MQ counts, and before the first one the device uses one pair
// (5.1.9.5.5).
func (d *device) steer(c *commander, want steering) (steered, error) {
	n, now := c.n, steered{pairs: want.pairs}
	if want.rss != nil && n.features.Has(virtio.NetRSS) {
		rss := n.rss.fold(*want.rss, want.pairs, d.hashKey())
		now.rss = &rss
		return now, d.sendMQ(c, virtio.CtrlMQRSSConfig, encodeRSS(&rss, want.pairs))
	}
	if err := d.sendPairs(c, want.pairs); err != nil {
		return now, err
	}
	if want.hash == nil || !n.features.Has(virtio.NetHashReport) {
		return now, nil
	}
	hash := n.rss.completeHash(*want.hash, d.hashKey())
	now.hash = &hash
	return now, d.sendMQ(c, virtio.CtrlMQHashConfig, encodeHash(&hash))
}

// sendPairs has the device use this many pairs, and spread packets over them by itself.
func (d *device) sendPairs(c *commander, pairs int) error {
	if setter, ok := d.t.(transport.QueuePairSetter); ok {
		if c.n.pairs == 1 {
			return nil
		}
		return setter.SetQueuePairs(pairs)
	}
	if !c.n.features.Has(virtio.NetMQ) {
		return nil
	}
	return d.sendMQ(c, virtio.CtrlMQPairsSet, binary.LittleEndian.AppendUint16(nil, uint16(pairs)))
}

// sendMQ sends a command of the class MQ.
func (d *device) sendMQ(c *commander, command uint8, data []byte) error {
	_, err := c.send(virtio.CtrlMQ, command, data, nil)
	return err
}

// deactivate takes the transmit queues of the pairs from first up to end from their pollers
// and waits for what they have taken to be sent.
func (d *device) deactivate(ctx context.Context, first, end int) error {
	for i := first; i < end; i++ {
		if err := d.closeGate(virtio.TxQueueIndex(i), outInactive); err != nil {
			d.activate(end)
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	timer := time.NewTimer(minSendPause)
	defer timer.Stop()
	for i, pause := first, minSendPause; i < end; {
		posted, err := d.reclaimAll(i)
		if err != nil {
			d.activate(end)
			return err
		}
		if posted == 0 {
			i++
			continue
		}
		timer.Reset(pause)
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		pause = min(2*pause, maxSendPause)
	}
	return nil
}

// The bounds of the pauses between two looks at what was sent.
const (
	minSendPause = 20 * time.Microsecond
	maxSendPause = 2 * time.Millisecond
)

// activate lets the pollers use the transmit queues of this many pairs.
func (d *device) activate(pairs int) {
	for i := range pairs {
		d.putIn(virtio.TxQueueIndex(i), outInactive)
	}
}

// reclaimAll is that of transmit queue i. A memory fault is one of that queue.
func (d *device) reclaimAll(i int) (posted int, err error) {
	err = d.guarded(func() error {
		posted = d.tx[i].reclaimAll()
		return nil
	})
	if err != nil {
		d.failQueue(virtio.TxQueueIndex(i), err)
	}
	return posted, err
}

// reclaimAll takes back what the device has sent, and returns how many buffers it still
// has, 0 if nothing more is to be expected. The gate is closed: the cache that SetCache
// gave is in use by a goroutine that goes on polling other queues with it.
func (q *TxQueue) reclaimAll() (posted int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ring == nil || q.ring.SetCache(q.own) != nil {
		return 0
	}
	q.ring.Reclaim()
	q.own.Flush()
	if err := q.ring.SetCache(q.cache); err != nil || q.ring.Stopped() {
		return 0
	}
	return q.ring.Posted()
}
