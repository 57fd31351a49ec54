package vhostuser

import (
	"encoding/binary"
	"fmt"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// netConfigLen is the size of the device configuration here: up to the duplex field.
const netConfigLen = virtio.NetConfigDuplex + 1

// ReadConfig implements transport.Transport. Each field comes from [Options] if it
// is set there, otherwise from the back end if that has a configuration with the
// field; without one the link is up for as long as there is a connection.
func (d *Device) ReadConfig(off, width int, b []byte) error {
	s, err := d.current()
	if err != nil {
		return err
	}
	refused := &transport.Error{Device: d.name,
		Op: fmt.Sprintf("reading %d bytes of device configuration at %#x in accesses of %d",
			len(b), off, width),
		Remedy: "refuse the feature that this belongs to, or update what provides the device"}
	switch {
	case width != 1 && width != 2 && width != 4 || off < 0 || off%width != 0 || len(b)%width != 0:
		refused.Reason = "this is not an aligned access of 1, 2 or 4 bytes"
		return refused
	case off > netConfigLen || len(b) > netConfigLen-off:
		refused.Reason = fmt.Sprintf("the device configuration has %d bytes only", netConfigLen)
		return refused
	}
	image, err := d.netConfig(s)
	if err == nil {
		copy(b, image[off:])
	}
	return err
}

// netConfig returns the device configuration.
func (d *Device) netConfig(s *session) ([]byte, error) {
	image := make([]byte, netConfigLen)
	own, err := s.readConfig(s.config)
	if err != nil {
		return nil, err
	}
	copy(image, own)
	if d.opt.MAC != nil {
		copy(image[virtio.NetConfigMAC:], d.opt.MAC)
	}
	if s.config == 0 || !s.backEnd().Has(virtio.NetStatus) {
		binary.LittleEndian.PutUint16(image[virtio.NetConfigStatus:], virtio.NetStatusLinkUp)
	}
	binary.LittleEndian.PutUint16(image[virtio.NetConfigMaxPairs:], uint16(d.pairs(s)))
	if d.opt.MTU != 0 {
		binary.LittleEndian.PutUint16(image[virtio.NetConfigMTU:], uint16(d.opt.MTU))
	}
	return image, nil
}

// probeConfig finds out how much of its configuration the back end reports: no more
// is requested than its features say there is. A back end that offers the protocol
// feature and then answers with nothing has no configuration.
func (s *session) probeConfig() error {
	if !s.has(protocolConfig) {
		return nil
	}
	need := 0
	for _, field := range []struct {
		feature virtio.Feature
		end     int
	}{
		{virtio.NetMAC, virtio.NetConfigStatus}, {virtio.NetStatus, virtio.NetConfigMaxPairs},
		{virtio.NetMQ, virtio.NetConfigMTU}, {virtio.NetMTU, virtio.NetConfigSpeed},
		{virtio.NetSpeedDuplex, netConfigLen},
	} {
		if s.backEnd().Has(field.feature) {
			need = field.end
		}
	}
	own, err := s.readConfig(need)
	s.config = len(own)
	if err == nil && need >= virtio.NetConfigMTU && len(own) != 0 && s.backEnd().Has(virtio.NetMQ) {
		// GET_QUEUE_NUM counts pairs with some back ends and rings with others.
		pairs := int(binary.LittleEndian.Uint16(own[virtio.NetConfigMaxPairs:]))
		s.pairs = max(1, min(s.pairs, pairs))
	}
	return err
}

// readConfig requests the first n bytes of configuration. It returns none if the
// back end has none.
func (s *session) readConfig(n int) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	b, err := s.call(readConfig(n), false,
		expectation{request: getConfig, size: configHead + n, orEmpty: true})
	if err != nil || len(b) == 0 {
		return nil, err
	}
	own, err := decodeConfig(b, n)
	if err != nil {
		s.end(err)
		return nil, s.disconnected()
	}
	return own, nil
}
