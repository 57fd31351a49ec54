package driver

import (
	"context"
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Coalescing says when the device interrupts for packets that it received or sent: after
// Packets of them, or Delay after the first, whichever is earlier, and after each packet if
// either is 0 (5.1.9.5, Notifications Coalescing). A device may interrupt more or less
// often. Queues that are polled are not affected.
type Coalescing struct {
	Packets int           // 0 to 4294967295
	Delay   time.Duration // in microseconds, rounded up, at most 4294967295 of them
}

// coalescingBytes are le32 packets and le32 microseconds.
const coalescingBytes = 8

// microseconds returns the delay as a device takes it.
func (c Coalescing) microseconds() uint64 {
	return uint64((c.Delay + time.Microsecond - 1) / time.Microsecond)
}

// check refuses what a device cannot be told.
func (c Coalescing) check(device string) error {
	e := &Error{Device: device, Op: "coalescing", Reason: "out of range"}
	switch {
	case c.Packets < 0 || c.Packets > math.MaxUint32:
		e.Field, e.Value, e.Remedy = "Packets", c.Packets, "0 to 4294967295"
	case c.Delay < 0 || c.Delay > math.MaxUint32*time.Microsecond:
		e.Field, e.Value, e.Remedy = "Delay", c.Delay, "0 to 1h11m34.967295s"
	default:
		return nil
	}
	return e
}

// rounded returns c as a device has it.
func (c Coalescing) rounded() Coalescing {
	c.Delay = time.Duration(c.microseconds()) * time.Microsecond
	return c
}

func (c Coalescing) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(c.Packets))
	return binary.LittleEndian.AppendUint32(b, uint32(c.microseconds()))
}

// coalescing is what was set: for the queues of a kind, by the number of the command, and
// for single virtqueues after that.
type coalescing struct {
	kinds  [2]*Coalescing
	queues map[int]Coalescing
}

// kindOf returns the command that sets all queues of the kind of a virtqueue.
func kindOf(virtqueue int) uint8 {
	if virtqueue%2 == 0 {
		return virtio.CtrlNotfCoalRxSet
	}
	return virtio.CtrlNotfCoalTxSet
}

var (
	coalescingNeeds      = virtio.FeatureSet(virtio.NetNotfCoal)
	queueCoalescingNeeds = virtio.FeatureSet(virtio.NetVQNotfCoal)
)

func (k *coalescing) sendKind(c *commander, command uint8, v Coalescing) error {
	if err := c.require(coalescingNeeds); err != nil {
		return err
	}
	_, err := c.send(virtio.CtrlNotfCoal, command, v.append(nil), nil)
	return err
}

func (k *coalescing) sendQueue(c *commander, virtqueue int, v Coalescing) error {
	if err := c.require(queueCoalescingNeeds); err != nil {
		return err
	}
	data := v.append(queueSelector(virtqueue))
	_, err := c.send(virtio.CtrlNotfCoal, virtio.CtrlNotfCoalVQSet, data, nil)
	return err
}

// queueSelector returns le16 virtqueue and le16 reserved.
func queueSelector(virtqueue int) []byte {
	return binary.LittleEndian.AppendUint32(nil, uint32(uint16(virtqueue)))
}

func (k *coalescing) restore(c *commander) error {
	var refused error
	for command, v := range k.kinds {
		if v == nil {
			continue
		}
		if err := unlessRefused(k.sendKind(c, uint8(command), *v), &refused); err != nil {
			return err
		}
	}
	for _, virtqueue := range slices.Sorted(maps.Keys(k.queues)) {
		if err := unlessRefused(k.sendQueue(c, virtqueue, k.queues[virtqueue]), &refused); err != nil {
			return err
		}
	}
	return refused
}

// restoreQueue tells the device what was set for one virtqueue, which it forgets when that
// is reset.
func (k *coalescing) restoreQueue(c *commander, virtqueue int) error {
	v, ok := k.queues[virtqueue]
	if !ok || !queueCoalescingNeeds.Minus(c.n.features).Empty() {
		return nil
	}
	return k.sendQueue(c, virtqueue, v)
}

// SetRxCoalescing sets when the device interrupts for received packets, for all receive
// queues. It needs NOTF_COAL. Errors are those of [Port.SetPromiscuous], and an [*Error]
// for a value out of range.
func (p *Port) SetRxCoalescing(ctx context.Context, c Coalescing) error {
	return p.setCoalescing(ctx, virtio.CtrlNotfCoalRxSet, c)
}

// SetTxCoalescing is SetRxCoalescing for packets that were sent, and all transmit queues.
func (p *Port) SetTxCoalescing(ctx context.Context, c Coalescing) error {
	return p.setCoalescing(ctx, virtio.CtrlNotfCoalTxSet, c)
}

func (p *Port) setCoalescing(ctx context.Context, command uint8, v Coalescing) error {
	d := p.device
	if err := v.check(d.name); err != nil {
		return err
	}
	v = v.rounded()
	return d.configure(ctx, "coalescing", func(c *commander) error {
		if err := d.settings.coalescing.sendKind(c, command, v); err != nil {
			return err
		}
		d.settings.update(func(s *settings) {
			s.coalescing.kinds[command] = &v
			maps.DeleteFunc(s.coalescing.queues, func(virtqueue int, _ Coalescing) bool {
				return kindOf(virtqueue) == command // what is set last counts
			})
		})
		return nil
	})
}

// RxCoalescing returns what SetRxCoalescing has set, the zero value if nothing. A device
// cannot be asked for it.
func (p *Port) RxCoalescing() Coalescing { return p.coalescingOf(virtio.CtrlNotfCoalRxSet) }

// TxCoalescing returns what SetTxCoalescing has set, the zero value if nothing.
func (p *Port) TxCoalescing() Coalescing { return p.coalescingOf(virtio.CtrlNotfCoalTxSet) }

func (p *Port) coalescingOf(command uint8) Coalescing {
	s := &p.device.settings
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.coalescing.kinds[command]; v != nil {
		return *v
	}
	return Coalescing{}
}

// SetRxQueueCoalescing is SetRxCoalescing for the receive queue of pair i alone, counted
// from 0. It needs VQ_NOTF_COAL. A queue that is stopped is told when it is started.
func (p *Port) SetRxQueueCoalescing(ctx context.Context, i int, c Coalescing) error {
	return p.setQueueCoalescing(ctx, i, virtio.RxQueueIndex(i), c)
}

// SetTxQueueCoalescing is SetTxCoalescing for the transmit queue of pair i alone.
func (p *Port) SetTxQueueCoalescing(ctx context.Context, i int, c Coalescing) error {
	return p.setQueueCoalescing(ctx, i, virtio.TxQueueIndex(i), c)
}

func (p *Port) setQueueCoalescing(ctx context.Context, i, virtqueue int, v Coalescing) error {
	d := p.device
	if err := p.checkPair(i); err != nil {
		return err
	}
	if err := v.check(d.name); err != nil {
		return err
	}
	v = v.rounded()
	return d.configure(ctx, "coalescing", func(c *commander) error {
		if err := c.require(queueCoalescingNeeds); err != nil {
			return err
		}
		if !d.isOut(virtqueue, outReset) {
			if err := d.settings.coalescing.sendQueue(c, virtqueue, v); err != nil {
				return err
			}
		}
		d.settings.update(func(s *settings) {
			if s.coalescing.queues == nil {
				s.coalescing.queues = make(map[int]Coalescing)
			}
			s.coalescing.queues[virtqueue] = v
		})
		return nil
	})
}

// RxQueueCoalescing asks the device when it interrupts for packets of the receive queue
// of pair i, which is not stopped. It needs VQ_NOTF_COAL.
func (p *Port) RxQueueCoalescing(ctx context.Context, i int) (Coalescing, error) {
	return p.queueCoalescing(ctx, i, virtio.RxQueueIndex(i))
}

// TxQueueCoalescing asks the device when it interrupts for packets of the transmit queue
// of pair i. It needs VQ_NOTF_COAL.
func (p *Port) TxQueueCoalescing(ctx context.Context, i int) (Coalescing, error) {
	return p.queueCoalescing(ctx, i, virtio.TxQueueIndex(i))
}

func (p *Port) queueCoalescing(ctx context.Context, i, virtqueue int) (Coalescing, error) {
	const op = "coalescing"
	if err := p.checkPair(i); err != nil {
		return Coalescing{}, err
	}
	if p.device.isOut(virtqueue, outReset) {
		return Coalescing{}, &Error{Device: p.device.name, Op: op, Field: "virtqueue", Value: virtqueue,
			Reason: "it is stopped, and the device does not have it", Remedy: "start it first"}
	}
	answer, err := p.device.command(ctx, op, queueCoalescingNeeds,
		virtio.CtrlNotfCoal, virtio.CtrlNotfCoalVQGet, queueSelector(virtqueue), coalescingBytes)
	if err != nil {
		return Coalescing{}, err
	}
	if len(answer) < coalescingBytes {
		return Coalescing{}, &Error{Device: p.device.name, Op: op, Field: "bytes of answer",
			Value: len(answer), Reason: "the device answered with fewer than 8"}
	}
	return Coalescing{
		Packets: int(binary.LittleEndian.Uint32(answer)),
		Delay:   time.Duration(binary.LittleEndian.Uint32(answer[4:])) * time.Microsecond,
	}, nil
}

// checkPair refuses a queue pair that the port does not have.
func (p *Port) checkPair(i int) error {
	if i >= 0 && i < p.Queues() {
		return nil
	}
	return &Error{Device: p.device.name, Field: "queue pair", Value: i,
		Reason: "the port does not have it", Remedy: "pairs are counted from 0 to Port.Queues minus 1"}
}
