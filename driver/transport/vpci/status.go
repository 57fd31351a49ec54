package vpci

import (
	"context"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// The pauses between two looks at the status of a device that is resetting.
const (
	firstPause = 20 * time.Microsecond
	lastPause  = 10 * time.Millisecond
)

// Reset implements transport.Transport. Its pauses grow from 20 µs to 10 ms.
func (d *Device) Reset(ctx context.Context) error {
	start := time.Now()
	if err := d.write8(regDeviceStatus, 0); err != nil {
		return err
	}
	pause := time.NewTimer(firstPause)
	defer pause.Stop()
	for next := firstPause; ; {
		status, err := d.Status()
		if err != nil {
			return err
		}
		if status == 0 {
			d.armed, d.live, d.accepted = false, false, virtio.Features{}
			return nil
		}
		select {
		case <-ctx.Done():
			return &transport.ResetError{Device: d.Name(), Status: status, Waited: time.Since(start), Err: ctx.Err()}
		case <-pause.C:
		}
		next = min(2*next, lastPause)
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
