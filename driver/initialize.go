package driver

import (
	"context"
	"runtime/debug"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// start brings the device from any state to one in which packets flow, and
// returns the state of the link. The gates are still closed then.
func (d *device) start(ctx context.Context) (Link, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer d.interruptible(ctx)()
	if err := d.reset(ctx); err != nil {
		return Link{}, err
	}
	return d.bringUp(ctx)
}

// restart is start for a device that has been started before: it takes back what
// the queues held. All gates are closed.
func (d *device) restart(ctx context.Context) (Link, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer d.interruptible(ctx)()
	if err := d.reset(ctx); err != nil {
		return Link{}, err
	}
	d.drain()
	d.unmapDetached()
	if err := d.releaseLarger(); err != nil {
		return Link{}, err
	}
	d.ctrl = nil
	if err := d.populate(); err != nil {
		return Link{}, err
	}
	return d.bringUp(ctx)
}

// reset resets the device and waits until it has confirmed that, for as long as
// the configuration allows. d.mu is held.
func (d *device) reset(ctx context.Context) error {
	d.status = 0
	ctx, cancel := context.WithTimeout(ctx, d.cfg.ResetTimeout)
	defer cancel()
	return d.t.Reset(ctx)
}

// bringUp sets up a device that has just been reset. When it fails the device has
// FAILED set. d.mu is held.
func (d *device) bringUp(ctx context.Context) (Link, error) {
	link, err := d.initialize(ctx)
	if err != nil && d.status != 0 {
		// The device is told; whether it takes note makes no difference any more.
		_ = d.t.SetStatus(d.status | virtio.StatusFailed)
	}
	return link, err
}

// initialize takes the steps of 3.1.1 and 5.1.5 in their order, up to the first
// error. It writes to memory that a back end may remove at any time. d.mu is held.
func (d *device) initialize(ctx context.Context) (_ Link, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer d.catchFault(&err)
	if err := d.setStatusBits(virtio.StatusAcknowledge); err != nil {
		return Link{}, err
	}
	if err := d.setStatusBits(virtio.StatusDriver); err != nil {
		return Link{}, err
	}
	n, err := d.negotiate()
	if err != nil {
		return Link{}, err
	}
	if err := d.setUpQueues(n); err != nil {
		return Link{}, err
	}
	if err := d.setStatusBits(virtio.StatusDriverOK); err != nil {
		return Link{}, err
	}
	first := d.current.Load() == nil
	d.current.Store(n)
	d.startQueues()
	if err := d.steerAgain(ctx, n); err != nil {
		return Link{}, err
	}
	if err := d.restoreSettings(ctx, n, first); err != nil {
		return Link{}, err
	}
	if err := d.stopAgain(ctx); err != nil {
		return Link{}, err
	}
	return readLink(d.t, n.features)
}

// setStatusBits adds bits to the device status. They are never taken away
// (2.1.1). d.mu is held.
func (d *device) setStatusBits(bits virtio.Status) error {
	if err := d.t.SetStatus(d.status | bits); err != nil {
		return err
	}
	d.status |= bits
	return nil
}
