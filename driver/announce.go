package driver

import (
	"context"
	"errors"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Announce has the back end tell the network where the port's address is, as after the
// back end or what is behind it has moved: it sends a RARP packet with [Port.MAC]. That is
// possible over vhost-user, with a back end that has the protocol feature RARP; elsewhere
// the error is [errors.ErrUnsupported], and the application sends such a packet itself. A back
// end that does not answer before ctx ends, or in Config.ControlTimeout, is disconnected.
//
// A device asks for packets of that kind by the event [AnnounceRequested], and is told
// that the application has received the event.
func (p *Port) Announce(ctx context.Context) error {
	const op = "announce"
	d := p.device
	return d.configure(ctx, op, func(c *commander) error {
		t, ok := d.t.(transport.Announcer)
		if !ok {
			return &Error{Device: d.name, Op: op, kind: errors.ErrUnsupported,
				Reason: "only a vhost-user back end announces an address by itself",
				Remedy: "send a gratuitous ARP packet on one of the transmit queues"}
		}
		return c.locked(func() error {
			defer d.interruptible(c.ctx)()
			return t.Announce([macBytes]byte(c.n.mac))
		})
	})
}

// announceRequested reports whether the device asks the driver to announce itself
// (5.1.9.5.4).
func (d *device) announceRequested() (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.current.Load().features.Has(virtio.NetAnnounce) {
		return false, nil
	}
	status, err := readConfig16(d.t, virtio.NetConfigStatus)
	return status&virtio.NetStatusAnnounce != 0, err
}

// acknowledgeAnnounce tells the device that its request has been received. It sees to it
// that the request is gone when the command is done.
func (d *device) acknowledgeAnnounce(ctx context.Context) error {
	_, err := d.command(ctx, "acknowledge the request to announce",
		virtio.FeatureSet(virtio.NetAnnounce), virtio.CtrlAnnounce, virtio.CtrlAnnounceAck, nil, 0)
	return err
}

// checkAnnounce tells the subscribers if the device asks for an announcement, and then the
// device. It does not wait for the answer; a request that is still there when the
// configuration is read next is another one, or its acknowledgement was lost.
func (s *supervisor) checkAnnounce() error {
	if s.acknowledging.Load() {
		return nil
	}
	requested, err := s.device.announceRequested()
	if err != nil || !requested {
		return err
	}
	s.log.Info("the device asks for an announcement")
	s.notify(AnnounceRequested, nil)
	s.acknowledging.Store(true)
	s.background.Go(func() {
		defer s.acknowledging.Store(false)
		if err := s.device.acknowledgeAnnounce(s.ctx); err != nil && s.ctx.Err() == nil {
			s.log.Warn("the request to announce was not acknowledged", "err", err)
		}
	})
	return nil
}
