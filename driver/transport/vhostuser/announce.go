package vhostuser

import (
	"encoding/binary"
	"errors"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
)

// Announce implements transport.Announcer: the back end sends a RARP packet with mac as its
// source, from which switches learn the address. It needs the protocol feature RARP.
func (d *Device) Announce(mac [6]byte) error {
	s, err := d.current()
	if err != nil {
		return err
	}
	if !s.has(protocolRARP) {
		return &transport.Error{Device: d.name, Op: sendRARP.String(), Err: errors.ErrUnsupported,
			Reason: "the back end did not offer the protocol feature RARP",
			Remedy: "send a gratuitous ARP packet on one of the transmit queues"}
	}
	// The bytes of the address in their order, and two that are not used.
	var b [u64Len]byte
	copy(b[:], mac[:])
	if err := s.command(u64Message(sendRARP, binary.LittleEndian.Uint64(b[:])), ""); err != nil {
		return err
	}
	return s.fence()
}
