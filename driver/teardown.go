package driver

import (
	"context"
	"errors"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
)

// close takes the queues from their pollers for good: no pool is attached and no
// cache is set any more. It fails if a poller is still inside a burst.
func (d *device) close() error {
	d.control.end(closedError(d.name))
	busy := d.closeGates(burstLimit)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for i := range d.rx {
		d.rx[i].close()
		d.tx[i].close()
	}
	return busy
}

// release stops the device and releases everything. No poller uses a queue.
func (d *device) release() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var resetErr error
	if len(d.mapped) != 0 {
		resetErr = d.reset(context.Background())
	}
	if resetErr != nil {
		return d.releaseUnconfirmed(resetErr)
	}
	d.drain()
	var errs []error
	for _, mem := range d.mapped {
		errs = append(errs, d.t.UnmapDMA(mem))
	}
	d.mapped = nil
	errs = append(errs, d.t.Close(), d.releaseMemory())
	return errors.Join(errs...)
}

// releaseUnconfirmed is release for a device that did not confirm its reset: it
// hung, or it is gone. Nothing may be released before closing it has stopped it.
// d.mu is held.
func (d *device) releaseUnconfirmed(resetErr error) error {
	err := d.t.Close()
	var running *transport.StopError
	if errors.As(err, &running) {
		return &MemoryKeptError{Device: d.name, Bytes: d.keptBytes(), Err: errors.Join(resetErr, err)}
	}
	if !errors.Is(resetErr, transport.ErrRemoved) {
		d.log.Warn("the device did not confirm its reset; closing it has stopped it", "err", resetErr)
	}
	d.mapped = nil
	d.drain()
	return errors.Join(err, d.releaseMemory())
}

// keepMapped resets the device and leaves everything else as it is, for a poller
// that may go on in the middle of its burst at any time: with the buffers, the
// ring, and the doorbell. cause names the poller's queue.
func (d *device) keepMapped(cause error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	err := d.reset(context.Background())
	return &MemoryKeptError{Device: d.name, Bytes: d.keptBytes(), Err: errors.Join(cause, err)}
}

// keptBytes returns how much memory of the port's own the device may still use.
// d.mu is held.
func (d *device) keptBytes() int {
	n := 0
	if d.rings != nil {
		n += len(d.rings.Bytes())
	}
	for _, mem := range d.larger {
		n += len(mem.Bytes())
	}
	if d.ownPool {
		n += len((*mbuf.DriverPool)(d.pool).Memory().Bytes())
	}
	return n
}

// drain returns every buffer that a queue holds to its pool. The device has been
// stopped, and no poller uses a queue. d.mu is held.
func (d *device) drain() {
	for i := range d.rx {
		d.rx[i].drain()
		d.tx[i].drain()
	}
}

// releaseMemory releases the port's own memory and its hold on other pools. The device
// has been stopped and no memory is mapped any more. d.mu is held.
func (d *device) releaseMemory() error {
	var errs []error
	for i := range d.rx {
		d.rx[i].own.Close()
		d.tx[i].own.Close()
	}
	if d.rings != nil {
		errs = append(errs, d.rings.Release())
	}
	for _, mem := range d.larger {
		errs = append(errs, mem.Release())
	}
	d.larger = nil
	for _, a := range d.attachments {
		errs = append(errs, a.user.Close())
	}
	d.attachments = nil
	if d.ownPool {
		errs = append(errs, d.pool.Release())
	}
	return errors.Join(errs...)
}
