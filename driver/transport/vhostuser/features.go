package vhostuser

import (
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// DeviceFeatures implements transport.Transport. The features are those that the
// back end offers, without those that need a control queue or that vhost-user
// cannot carry, and with those that the front end provides: STATUS always (the link
// is the connection), MAC and MTU if [Options] have them, and CTRL_VQ beside MQ,
// because MQ requires it; SetQueuePairs takes the place of the control queue.
func (d *Device) DeviceFeatures() (virtio.Features, error) {
	s, err := d.current()
	if err != nil {
		return virtio.Features{}, err
	}
	return d.offer(s), nil
}

func (d *Device) offer(s *session) virtio.Features {
	f := s.backEnd().Minus(unimplemented).Minus(controlled)
	if s.config == 0 {
		f = f.Minus(configured)
	}
	if s.backEnd().Has(virtio.NetMQ) && d.pairs(s) > 1 {
		f = f.With(virtio.NetMQ).With(virtio.NetCtrlVQ)
	}
	if d.opt.MAC != nil {
		f = f.With(virtio.NetMAC)
	}
	if d.opt.MTU != 0 {
		f = f.With(virtio.NetMTU)
	}
	return f.With(virtio.NetStatus)
}

// pairs returns how many queue pairs can be used.
func (d *Device) pairs(s *session) int {
	if d.opt.Queues == 0 {
		return s.pairs
	}
	return min(d.opt.Queues, s.pairs)
}

// CheckFeatures implements transport.Transport. MQ may be accepted without
// CTRL_VQ here.
func (d *Device) CheckFeatures(f virtio.Features) error {
	s, err := d.current()
	if err != nil {
		return err
	}
	refused := &transport.FeatureError{Device: d.Name()}
	switch {
	case !f.Has(virtio.Version1):
		refused.Missing = virtio.FeatureSet(virtio.Version1)
		refused.Reason = "only devices of virtio 1.0 and later are supported"
		refused.Remedy = "use a back end that offers it, as DPDK, QEMU's and this project's do"
	case !f.Minus(d.offer(s)).Empty():
		refused.Unusable = f.Minus(d.offer(s))
		refused.Reason = "the back end does not offer it, or vhost-user cannot carry it"
		refused.Remedy = "refuse it"
	default:
		return nil
	}
	return refused
}

// SetDriverFeatures implements transport.Transport. The back end is sent only those
// that it offered itself, and that rings begin disabled (bit 30).
func (d *Device) SetDriverFeatures(f virtio.Features) error {
	s, err := d.current()
	if err != nil {
		return err
	}
	own := f.And(s.backEnd()).Without(virtio.NetCtrlVQ)
	if s.config == 0 {
		own = own.Minus(configured)
	}
	bits := own[0]
	if s.enables() {
		bits |= 1 << bitProtocolFeatures
	}
	s.dirty = true
	if err := s.command(u64Message(setFeatures, bits), " "+own.String()); err != nil {
		return err
	}
	s.features, s.packed = bits, f.Has(virtio.RingPacked)
	return s.fence()
}
