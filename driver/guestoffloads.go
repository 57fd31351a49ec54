package driver

import (
	"context"
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// guestOffloads are the offloads that CTRL_GUEST_OFFLOADS switches (5.1.9.5, Setting
// Offloads State).
var guestOffloads = virtio.FeatureSet(virtio.NetGuestCSUM, virtio.NetGuestTSO4,
	virtio.NetGuestTSO6, virtio.NetGuestECN, virtio.NetGuestUSO4, virtio.NetGuestUSO6)

// receiveOffloads are those that were left on. After a reset all that were negotiated are.
type receiveOffloads struct {
	set     bool
	on      virtio.Features
	refused bool // by a device that was reset since: all are on
}

func (r *receiveOffloads) restore(c *commander) error {
	if !r.set {
		return nil
	}
	err := r.sendAgain(c)
	c.device.settings.update(func(*settings) { r.refused = isRefusal(err) })
	return err
}

func (r *receiveOffloads) sendAgain(c *commander) error {
	available := c.n.features.And(guestOffloads)
	on := r.of(available)
	if on == available {
		return nil
	}
	if err := c.require(virtio.FeatureSet(virtio.NetCtrlOffloads)); err != nil {
		return err
	}
	return r.send(c, on)
}

// of returns those that are on of what a device has: one that was reset, or another, may have
// fewer, and not what one of them depends on.
func (r *receiveOffloads) of(available virtio.Features) virtio.Features {
	return r.on.And(available).Closure()
}

func (r *receiveOffloads) send(c *commander, on virtio.Features) error {
	data := binary.LittleEndian.AppendUint64(nil, on[0])
	_, err := c.send(virtio.CtrlGuestOffloads, virtio.CtrlGuestOffloadsSet, data, nil)
	return err
}

// SetReceiveOffloads has the device use these of the receive offloads that were negotiated,
// and no others: GUEST_CSUM, GUEST_TSO4 and GUEST_TSO6, GUEST_ECN, GUEST_USO4 and
// GUEST_USO6. All that were negotiated are on at first. It needs CTRL_GUEST_OFFLOADS,
// which is accepted with any of them. Packets that are on their way may still have an
// offload that was switched off. Errors are those of [Port.SetPromiscuous], and an [*Error]
// for an offload that was not negotiated or lacks one that it depends on.
func (p *Port) SetReceiveOffloads(ctx context.Context, on virtio.Features) error {
	const op = "receive offloads"
	d := p.device
	return d.configure(ctx, op, func(c *commander) error {
		if err := c.require(virtio.FeatureSet(virtio.NetCtrlOffloads)); err != nil {
			return err
		}
		refused := &Error{Device: d.name, Op: op, Field: "offloads"}
		available := c.n.features.And(guestOffloads)
		if extra := on.Minus(available); !extra.Empty() {
			refused.Value, refused.Reason = extra, "they were not negotiated"
			refused.Remedy = "put them into Config.Request"
			return refused
		}
		if alone := on.Minus(on.Closure()); !alone.Empty() {
			refused.Value, refused.Reason = alone, "they depend on others that would be off"
			refused.Remedy = "leave GUEST_CSUM on, and for GUEST_ECN one of GUEST_TSO4 and GUEST_TSO6"
			return refused
		}
		if err := d.settings.offloads.send(c, on); err != nil {
			return err
		}
		d.settings.update(func(s *settings) { s.offloads = receiveOffloads{set: true, on: on} })
		return nil
	})
}

// ReceiveOffloads returns the receive offloads that are on: those of the last
// SetReceiveOffloads, or all that were negotiated, to which a device goes back that was reset
// and does not take the command any more.
func (p *Port) ReceiveOffloads() virtio.Features {
	available := p.Features().And(guestOffloads)
	s := &p.device.settings
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.offloads.set && !s.offloads.refused {
		return s.offloads.of(available)
	}
	return available
}
