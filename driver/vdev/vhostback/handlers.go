package vhostback

import (
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

func (s *session) getFeatures(*message) ([]byte, error) {
	return numberBytes(s.engine.Offered()[0] | 1<<protocolBit), nil
}

func (s *session) setFeatures(m *message) ([]byte, error) {
	v := m.number()
	if extra := v &^ (s.engine.Offered()[0] | 1<<protocolBit); extra != 0 {
		return nil, m.wrong("features", v, "none that was not offered (%#x)", extra)
	}
	if s.negotiated && v == s.features {
		return nil, nil
	}
	for i := range s.rings {
		if s.rings[i].started {
			return nil, m.wrong("features", v, "no others than %#x while rings run", s.features)
		}
	}
	if s.begun {
		s.engine.End()
		s.begun = false
	}
	s.features = v
	s.negotiated = s.device().Has(virtio.Version1)
	if !s.negotiated {
		// The firmware of a guest may do this before its operating system, with a
		// newer driver, negotiates again.
		return nil, &refusal{"the driver accepts no VERSION_1: it uses the device as a legacy one, " +
			"which this is not; give the guest a modern device " +
			"(QEMU: disable-legacy=on, and not disable-modern=on) and a driver of virtio 1.0 or later"}
	}
	return nil, s.startRings()
}

// protocols returns the protocol features that are offered.
func (s *session) protocols() uint64 {
	if s.unit.device == nil { // the raw engine records nothing and has no frames of its own
		return protoOffered &^ (1<<protoInflight | 1<<protoRARP)
	}
	return protoOffered
}

func (s *session) getProtocol(*message) ([]byte, error) { return numberBytes(s.protocols()), nil }

func (s *session) setProtocol(m *message) ([]byte, error) {
	v := m.number()
	if extra := v &^ s.protocols(); extra != 0 {
		return nil, m.wrong("protocol features", v, "none that was not offered (%#x)", extra)
	}
	if s.begun && v != s.proto {
		return nil, m.wrong("protocol features", v, "no others than %#x while rings run", s.proto)
	}
	s.proto = v
	return nil, nil
}

// setOwner does nothing: every peer sends it, some more than once.
func (s *session) setOwner(*message) ([]byte, error) { return nil, nil }

func (s *session) resetDevice(*message) ([]byte, error) {
	s.reset()
	s.forget()
	return nil, nil
}

func (s *session) getQueueNum(*message) ([]byte, error) {
	return numberBytes(uint64(s.engine.Pairs())), nil
}

func (s *session) getStatus(*message) ([]byte, error) { return numberBytes(uint64(s.status)), nil }

// setStatus stores the status. It does not check the order of the bits: QEMU sets
// several at once, and FEATURES_OK together with the features.
func (s *session) setStatus(m *message) ([]byte, error) {
	v := m.number()
	if v > 0xff {
		return nil, m.wrong("status", v, "8 bits")
	}
	status := virtio.Status(v)
	if status == 0 {
		s.reset()
		s.forget()
		return nil, nil
	}
	if status.Has(virtio.StatusFeaturesOK) && !s.negotiated {
		status &^= virtio.StatusFeaturesOK
	}
	s.status = status
	return nil, s.startRings()
}

func (s *session) setMTU(m *message) ([]byte, error) {
	if v := m.number(); v < virtio.MinMTU || v > uint64(s.engine.MTU()) {
		return nil, &refusal{"the MTU is not one of this device"}
	}
	return nil, nil
}

// sendRARP announces a station, whose address is in the first bytes of the number, for a
// guest that has moved here and does not do that itself.
func (s *session) sendRARP(m *message) ([]byte, error) {
	mac := m.payload[:6]
	if mac[0]&1 != 0 {
		return nil, m.wrong("address", uint64(mac[0]), "that of a station, whose first byte is even")
	}
	s.unit.device.SendRARP([6]byte(mac))
	return nil, nil
}

// configRequest is the head of GET_CONFIG and SET_CONFIG.
func (m *message) configRequest() (offset, size uint32, err error) {
	if len(m.payload) < configHead {
		return 0, 0, m.wrong("payload size", uint64(len(m.payload)), "%d at least", configHead)
	}
	offset, size = native.Uint32(m.payload), native.Uint32(m.payload[4:])
	if uint64(size) != uint64(len(m.payload)-configHead) {
		return 0, 0, m.wrong("size", uint64(size), "%d, which follow", len(m.payload)-configHead)
	}
	return offset, size, nil
}

// getConfig replies with the bytes of the device configuration, zeros after its
// end. A request for other bytes gets an empty reply, as the protocol wants it.
func (s *session) getConfig(m *message) ([]byte, error) {
	offset, size, err := m.configRequest()
	if err != nil {
		return nil, err
	}
	if size == 0 || uint64(offset)+uint64(size) > configMax {
		return nil, nil
	}
	var all [configMax]byte
	copy(all[:], s.engine.Config())
	return append(append([]byte(nil), m.payload[:configHead]...), all[offset:offset+size]...), nil
}

func (s *session) setConfig(m *message) ([]byte, error) {
	if _, _, err := m.configRequest(); err != nil {
		return nil, err
	}
	return nil, &refusal{"a network device has no configuration that a driver may write (virtio 1.4, 5.1.4.2)"}
}

func (s *session) getMaxMemSlots(*message) ([]byte, error) {
	return numberBytes(uint64(s.slots)), nil
}

func (s *session) setMemTable(m *message) ([]byte, error) {
	if len(m.payload) < 8 {
		return nil, m.wrong("payload size", uint64(len(m.payload)), "8 at least")
	}
	n := native.Uint32(m.payload)
	switch {
	case n > maxFDs:
		return nil, m.wrong("number of regions", uint64(n), "%d at most", maxFDs)
	case len(m.payload) != 8+regionSize*int(n):
		return nil, m.wrong("payload size", uint64(len(m.payload)), "%d, for %d regions", 8+regionSize*int(n), n)
	case len(m.fds) != int(n):
		return nil, m.wrong("number of descriptors", uint64(len(m.fds)), "%d, one for each region", n)
	}
	var t table
	for i := range int(n) {
		r := parseRegion(m.payload[8+regionSize*i:])
		if err := s.wait(func() error { return t.add(r, m.fds[i]) }); err != nil {
			t.release()
			return nil, err
		}
	}
	return nil, s.replace(t, t, s.memory)
}

func (s *session) addMemRegion(m *message) ([]byte, error) {
	if len(s.memory) >= s.slots {
		return nil, m.wrong("number of regions", uint64(len(s.memory)+1), "%d at most", s.slots)
	}
	t := append(table(nil), s.memory...)
	err := s.wait(func() error { return t.add(parseRegion(m.payload[8:]), m.fds[0]) })
	if err != nil {
		return nil, err
	}
	return nil, s.replace(t, t[len(t)-1:], nil)
}

func (s *session) removeMemRegion(m *message) ([]byte, error) {
	want := parseRegion(m.payload[8:])
	for i, r := range s.memory {
		if r.guest == want.guest && r.user == want.user && r.size == want.size {
			t := append(append(table(nil), s.memory[:i]...), s.memory[i+1:]...)
			return nil, s.replace(t, nil, s.memory[i:i+1])
		}
	}
	return nil, want.invalid("no such region was shared", nil)
}

// replace makes t the memory of the device. added are its new regions, which are
// released if that fails; gone are the old ones, which are released if it does not.
func (s *session) replace(t, added, gone table) error {
	areas := make(map[int][3][]byte)
	for i := range s.rings {
		if r := &s.rings[i]; r.started {
			mem, err := s.areas(i, r, t)
			if err != nil {
				added.release()
				return err
			}
			areas[i] = mem
		}
	}
	if s.unit.device == nil { // the raw engine has no time to look at pages
		if err := s.wait(func() error {
			for i := range added {
				added[i].populate(0, added[i].size)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	if err := s.engine.Remap(t.mappings(s.unit), areas); err != nil {
		added.release()
		return err
	}
	gone.release()
	s.memory = t
	return nil
}
