package vpci

import (
	"errors"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// polled is what polling compares: two registers that show a change and that can be
// read while the driver uses the others.
type polled struct {
	status     virtio.Status
	generation uint8
}

func (d *Device) polled() (w polled, err error) {
	if w.status, err = d.Status(); err != nil {
		return w, err
	}
	w.generation, err = d.read8(regConfigGeneration)
	return w, err
}

// poll takes the place of interrupts until Close, or until the device is removed.
// The first state is reported too: the driver may have read an earlier one.
func (d *Device) poll() {
	var last polled
	for d.interrupts.pause(d.interrupts.interval) {
		now, err := d.polled()
		if errors.Is(err, transport.ErrRemoved) {
			d.report(transport.Removed)
			return
		}
		if err == nil && now != last {
			last = now
			d.report(transport.ConfigChanged)
		}
	}
}
