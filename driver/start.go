package driver

import (
	"context"
	"net"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// start brings the device from any state to one in which packets flow.
func (p *Port) start() error {
	if err := p.reset(p.ctx); err != nil {
		return err
	}
	return p.startReset()
}

// startReset is start for a device that has just been reset. p.mu is held, or
// nobody else knows p yet. When it fails the device has FAILED set.
func (p *Port) startReset() error {
	err := p.bringUp()
	if err != nil && p.status != 0 {
		// The device is told; whether it listens makes no difference any more.
		_ = p.t.SetStatus(p.status | virtio.StatusFailed)
	}
	return err
}

// bringUp takes the steps of 3.1.1 and 5.1.5 in their order, up to the first
// error.
func (p *Port) bringUp() error {
	if err := p.raise(virtio.StatusAcknowledge); err != nil {
		return err
	}
	if err := p.raise(virtio.StatusDriver); err != nil {
		return err
	}
	agreed, err := p.agree()
	if err != nil {
		return err
	}
	if err := p.setUpQueues(agreed); err != nil {
		return err
	}
	if err := p.raise(virtio.StatusDriverOK); err != nil {
		return err
	}
	p.agreed.Store(agreed)
	p.startQueues()
	if err := p.enablePairs(agreed.pairs); err != nil {
		return err
	}
	link, err := readLink(p.t, agreed.features)
	if err != nil {
		return err
	}
	p.link.Store(&link)
	return nil
}

// agree negotiates features and reads what depends on them.
func (p *Port) agree() (*terms, error) {
	agreed, err := p.propose()
	if err != nil {
		return nil, err
	}
	if had := len(p.rx); had != 0 && agreed.pairs < had {
		return nil, &FewerQueuesError{Device: p.name, Had: had, Pairs: agreed.pairs}
	}
	if err := p.negotiate(agreed.features); err != nil {
		return nil, err
	}
	var last net.HardwareAddr
	if before := p.agreed.Load(); before != nil {
		last = before.mac
	}
	agreed.mac, err = p.chooseMAC(agreed.features, last)
	return agreed, err
}

// raise adds a bit to the device status. Bits are never taken away (2.1.1).
func (p *Port) raise(bit virtio.Status) error {
	if err := p.t.SetStatus(p.status | bit); err != nil {
		return err
	}
	p.status |= bit
	return nil
}

// reset resets the device and waits until it has confirmed it, within the
// time that the configuration allows.
func (p *Port) reset(ctx context.Context) error {
	p.status = 0
	ctx, cancel := context.WithTimeout(ctx, p.cfg.ResetTimeout)
	defer cancel()
	return p.t.Reset(ctx)
}
