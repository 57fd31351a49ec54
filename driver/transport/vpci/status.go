package vpci

import (
	"context"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// The bounds of the pauses between two reads of the status during a reset.
const (
	minResetPoll = 20 * time.Microsecond
	maxResetPoll = 10 * time.Millisecond
)

// Reset implements transport.Transport. Its pauses grow from 20 µs to 10 ms.
func (d *Device) Reset(ctx context.Context) error {
	start := time.Now()
	if err := d.write8(regDeviceStatus, 0); err != nil {
		return err
	}
	var status virtio.Status
	done, err := awaitRegister(ctx, func() (_ bool, err error) {
		status, err = d.Status()
		return status == 0, err
	})
	switch {
	case err != nil:
		return err
	case !done:
		return &transport.ResetError{Device: d.Name(), Status: status,
			Waited: time.Since(start), Err: ctx.Err()}
	}
	d.prepared, d.mayDMA, d.accepted = false, false, virtio.Features{}
	return nil
}

// awaitRegister reads a register, with pauses that grow, until it is as it has to be. It returns
// false if ctx ends first.
func awaitRegister(ctx context.Context, read func() (bool, error)) (bool, error) {
	pause := time.NewTimer(minResetPoll)
	defer pause.Stop()
	for next := minResetPoll; ; {
		if done, err := read(); done || err != nil {
			return done, err
		}
		select {
		case <-ctx.Done():
			return false, nil
		case <-pause.C:
		}
		next = min(2*next, maxResetPoll)
		pause.Reset(next)
	}
}

// Status implements transport.Transport.
func (d *Device) Status() (virtio.Status, error) {
	v, err := d.read8(regDeviceStatus)
	return virtio.Status(v), err
}

// SetStatus implements transport.Transport.
func (d *Device) SetStatus(s virtio.Status) error {
	return d.write8(regDeviceStatus, uint8(s))
}
