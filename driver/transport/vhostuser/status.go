package vhostuser

import (
	"fmt"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Status implements transport.Transport. With the protocol feature STATUS it is the
// back end's, otherwise the status that was last sent to this back end.
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
		// While packets flow no other request is made, and a back end that hangs keeps
		// its socket open: a harmless request shows that it still answers.
		_, err = s.query(getFeatures)
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
		s.dirty = true
		if err := s.command(u64Message(setStatus, uint64(status)),
			fmt.Sprintf(" %v", status)); err != nil {
			return err
		}
	}
	if s.has(protocolStatus) || s.unsettled {
		if err := s.fence(); err != nil {
			return err
		}
	}
	s.written = status
	if status.Has(virtio.StatusDriverOK) {
		s.remaining = unlimited // the set-up is complete
		s.ready.Store(true)
	}
	return nil
}

// status asks the back end for the device status, which has 8 bits.
func (s *session) status() (virtio.Status, error) {
	v, err := s.query(getStatus)
	if err == nil && v > 0xff {
		s.end(protocolError(getStatus.String(), "device status", v, v&0xff, "it has 8 bits"))
		return 0, s.disconnected()
	}
	return virtio.Status(v), err
}
