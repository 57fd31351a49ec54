package driver

import (
	"context"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// RxMode is which packets a device receives besides those for its addresses
// (5.1.9.5.1). Broadcast packets are received unless NoBroadcast says otherwise. A device
// does its best: packets that are not wanted may still arrive.
type RxMode struct {
	Promiscuous  bool // every packet; with CTRL_RX
	AllMulticast bool // every multicast packet; with CTRL_RX
	AllUnicast   bool // every unicast packet; with CTRL_RX_EXTRA, as those below
	NoMulticast  bool // no multicast packet, AllMulticast or not
	NoUnicast    bool // no unicast packet, AllUnicast or not
	NoBroadcast  bool // no broadcast packet
}

// modes is the number of commands of [virtio.CtrlRx].
const modes = virtio.CtrlRxNoBcast + 1

// flags returns the modes by the number of their command.
func (m RxMode) flags() [modes]bool {
	return [modes]bool{
		virtio.CtrlRxPromisc: m.Promiscuous, virtio.CtrlRxAllMulti: m.AllMulticast,
		virtio.CtrlRxAllUni: m.AllUnicast, virtio.CtrlRxNoMulti: m.NoMulticast,
		virtio.CtrlRxNoUni: m.NoUnicast, virtio.CtrlRxNoBcast: m.NoBroadcast,
	}
}

// modeNeeds returns the feature that a command of [virtio.CtrlRx] needs.
func modeNeeds(command uint8) virtio.Features {
	if command <= virtio.CtrlRxAllMulti {
		return virtio.FeatureSet(virtio.NetCtrlRx)
	}
	return virtio.FeatureSet(virtio.NetCtrlRxExtra)
}

// rxModes are the modes that were set, by the number of their command.
type rxModes struct {
	known [modes]bool // it was set, on or off: what a reset leaves is the device's choice
	on    [modes]bool
}

// set sends one mode and remembers it.
func (r *rxModes) set(c *commander, command uint8, on bool) error {
	if err := r.send(c, command, on); err != nil {
		return err
	}
	c.device.settings.update(func(*settings) { r.known[command], r.on[command] = true, on })
	return nil
}

func (r *rxModes) send(c *commander, command uint8, on bool) error {
	if err := c.require(modeNeeds(command)); err != nil {
		return err
	}
	var data [1]byte
	if on {
		data[0] = 1
	}
	_, err := c.send(virtio.CtrlRx, command, data[:], nil)
	return err
}

func (r *rxModes) restore(c *commander) error {
	var refused error
	for command, known := range r.known {
		if !known {
			continue
		}
		if err := unlessRefused(r.send(c, uint8(command), r.on[command]), &refused); err != nil {
			return err
		}
	}
	return refused
}

// SetPromiscuous has the device receive every packet, or only those for its addresses.
// Until it is called a device does as it likes: QEMU's receives every packet.
//
// As with every method that sends a command, ctx and Config.ControlTimeout bound the call,
// any goroutine may make it while packets flow, and what was set is set again when the
// device was reset by a recovery. The error is an [*Error]. [errors.Is] finds
//
//   - [errors.ErrUnsupported] in it if the device does not offer what the command needs,
//     here CTRL_RX, or the transport has no control queue; nothing was sent then,
//   - [ErrRefused] if the device refused the command,
//   - [context.DeadlineExceeded], or what else ended ctx, if the device did not answer in
//     time; it may still carry out the command.
func (p *Port) SetPromiscuous(ctx context.Context, on bool) error {
	return p.setRxMode(ctx, "promiscuous mode", virtio.CtrlRxPromisc, on)
}

// SetAllMulticast has the device receive every multicast packet, or only those for the
// addresses of its filter, with CTRL_RX. Errors are those of [Port.SetPromiscuous].
func (p *Port) SetAllMulticast(ctx context.Context, on bool) error {
	return p.setRxMode(ctx, "all-multicast mode", virtio.CtrlRxAllMulti, on)
}

func (p *Port) setRxMode(ctx context.Context, op string, command uint8, on bool) error {
	d := p.device
	return d.configure(ctx, op, func(c *commander) error {
		return d.settings.rx.set(c, command, on)
	})
}

// SetRxMode sets all modes, one command each. Those that are on need their features, and
// without them nothing is sent; those that are off are sent if the device knows them. When
// a command fails, those before it are in force, and [Port.RxMode] has them. Errors are
// those of [Port.SetPromiscuous].
func (p *Port) SetRxMode(ctx context.Context, m RxMode) error {
	d := p.device
	return d.configure(ctx, "receive mode", func(c *commander) error {
		flags := m.flags()
		needs := virtio.FeatureSet(virtio.NetCtrlRx)
		for command, on := range flags {
			if on {
				needs = needs.Or(modeNeeds(uint8(command)))
			}
		}
		if err := c.require(needs); err != nil {
			return err
		}
		for command, on := range flags {
			if !modeNeeds(uint8(command)).Minus(c.n.features).Empty() {
				continue
			}
			if err := d.settings.rx.set(c, uint8(command), on); err != nil {
				return err
			}
		}
		return nil
	})
}

// RxMode returns the modes that were set last. What was never set is false, whatever the
// device does.
func (p *Port) RxMode() RxMode {
	s := &p.device.settings
	s.mu.Lock()
	defer s.mu.Unlock()
	on := s.rx.on
	return RxMode{
		Promiscuous: on[virtio.CtrlRxPromisc], AllMulticast: on[virtio.CtrlRxAllMulti],
		AllUnicast: on[virtio.CtrlRxAllUni], NoMulticast: on[virtio.CtrlRxNoMulti],
		NoUnicast: on[virtio.CtrlRxNoUni], NoBroadcast: on[virtio.CtrlRxNoBcast],
	}
}
