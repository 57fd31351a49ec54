package vhostuser

import (
	"fmt"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Status implements transport.Transport. It is the back end's with the protocol
// feature STATUS, and otherwise what was written last to this back end.
// DEVICE_NEEDS_RESET is added when the back end has reported a broken ring.
func (d *Device) Status() (virtio.Status, error) {
	s, err := d.current()
	if err != nil {
		return 0, err
	}
	status := s.written
	switch {
	case s.has(protocolStatus):
		status, err = s.status()
	case s.config == 0 && status.Has(virtio.StatusDriverOK):
		// There is nothing to ask while packets flow, and a back end that hangs
		// keeps its socket open. So it is asked anything.
		_, err = s.ask(getFeatures)
	}
	if err != nil {
		return 0, err
	}
	if d.needsReset.Load() {
		status |= virtio.StatusNeedsReset
	}
	return status, nil
}

// SetStatus implements transport.Transport.
func (d *Device) SetStatus(status virtio.Status) error {
	s, err := d.current()
	if err != nil {
		return err
	}
	if s.has(protocolStatus) {
		s.told = true
		if err := s.tell(number(setStatus, uint64(status)), fmt.Sprintf(" %v", status)); err != nil {
			return err
		}
		if err := s.fence(); err != nil {
			return err
		}
	}
	s.written = status
	if status.Has(virtio.StatusDriverOK) {
		s.left = unlimited // all is set up
		s.worked.Store(true)
	}
	return nil
}

// status asks the back end for the device status, which has 8 bits.
func (s *session) status() (virtio.Status, error) {
	v, err := s.ask(getStatus)
	if err == nil && v > 0xff {
		s.end(protocolError(getStatus.String(), "device status", v, v&0xff, "it has 8 bits"))
		return 0, s.lost()
	}
	return virtio.Status(v), err
}
