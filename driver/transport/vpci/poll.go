package vpci

import (
	"errors"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// watched is what polling compares: two registers that tell of a change, and
// that do not mind being read while the driver works with the others.
type watched struct {
	status     virtio.Status
	generation uint8
}

func (d *Device) watched() (w watched, err error) {
	if w.status, err = d.Status(); err != nil {
		return w, err
	}
	w.generation, err = d.read8(regConfigGeneration)
	return w, err
}

// poll stands in for interrupts until Close, or until the device is gone. What
// it finds at first is reported too: the driver may have looked earlier.
func (d *Device) poll() {
	var last watched
	for d.interrupts.pause(d.interrupts.interval) {
		now, err := d.watched()
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
