package driver

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// tunnelNeeds is the feature of the inner header hash.
var tunnelNeeds = virtio.FeatureSet(virtio.NetHashTunnel)

// innerHash are the encapsulations inside which the device computes the hash (5.1.9.4,
// Inner Header Hash). After a reset there are none.
type innerHash struct{ types virtio.TunnelTypes }

func (h *innerHash) restore(c *commander) error {
	if h.types == 0 {
		return nil
	}
	if err := c.require(tunnelNeeds); err != nil {
		return err
	}
	// Another device may have fewer of them.
	left := h.types & c.n.rss.Tunnels
	if left != h.types {
		c.device.log.Warn("the device cannot look into all tunnels of SetInnerHash any more",
			"types", uint32(h.types), "supported", uint32(c.n.rss.Tunnels))
	}
	return h.send(c, left)
}

func (h *innerHash) send(c *commander, types virtio.TunnelTypes) error {
	data := binary.LittleEndian.AppendUint32(nil, uint32(types))
	_, err := c.send(virtio.CtrlHashTunnel, virtio.CtrlHashTunnelSet, data, nil)
	return err
}

// SetInnerHash has the device compute the hash of a packet in a tunnel of one of these types
// over the headers of the packet inside, so that RSS spreads the flows in a tunnel over the
// queues, and HASH_REPORT tells them apart (5.1.9.4, Inner Header Hash). All other packets,
// and with 0 all packets, have the hash of their outer headers, as at first. Only one level
// of encapsulation is taken off. RSSLimits.Tunnels are the types that the device has.
// A sender that chooses the addresses and ports of the packets inside can have all of them
// arrive on one queue.
//
// It may be called from any goroutine, while packets flow, and what it sets is set again
// after a recovery. It needs HASH_TUNNEL, which has to be in Config.Request or
// Config.Require with RSS or HASH_REPORT. Errors are those of [Port.SetPromiscuous], and an
// [*Error] for types that the device does not have; nothing is sent to it then.
func (p *Port) SetInnerHash(ctx context.Context, types virtio.TunnelTypes) error {
	const op = "SetInnerHash"
	d := p.device
	return d.configure(ctx, op, func(c *commander) error {
		if err := c.require(tunnelNeeds); err != nil {
			return err
		}
		if err := c.n.rss.checkTunnels(d.name, op, types); err != nil {
			return err
		}
		if err := d.settings.inner.send(c, types); err != nil {
			return err
		}
		d.settings.update(func(s *settings) { s.inner = innerHash{types} })
		return nil
	})
}

// InnerHash returns the types of tunnels that [Port.SetInnerHash] has set.
func (p *Port) InnerHash() virtio.TunnelTypes {
	s, has := &p.device.settings, p.RSSLimits().Tunnels
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inner.types & has
}

// checkTunnels refuses types of tunnels that the device does not have.
func (l RSSLimits) checkTunnels(device, op string, types virtio.TunnelTypes) error {
	extra := types &^ l.Tunnels
	if extra == 0 {
		return nil
	}
	return &Error{Device: device, Op: op, Field: "types", Value: fmt.Sprintf("%#x", uint32(types)),
		Reason: fmt.Sprintf("the device cannot look into tunnels of the types %#x, but those of %#x",
			uint32(extra), uint32(l.Tunnels)),
		Remedy: "leave them out: RSSLimits says which it can"}
}
