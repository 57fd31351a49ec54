package vdev

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

const (
	protoIPv4 = 4
	protoGRE  = 47

	portGRE      = 4754
	portVXLAN    = 4789
	portVXLANGPE = 4790
	portGeneve   = 6081

	etherBridged = 0x6558 // Ethernet in a tunnel

	udpHeader = 8
)

// Flags of a GRE header (RFC 2784, RFC 2890).
const (
	greChecksum = 0x8000
	greKey      = 0x2000
	greSequence = 0x1000
	greOptions  = greChecksum | greKey | greSequence
)

// enter replaces what is known of a packet by what is known of the one inside, if its
// header is that of one of these encapsulations. One level is taken off, whatever is in
// there (5.1.9.4, Encapsulated packet).
func (t *tuple) enter(enabled virtio.TunnelTypes) {
	types, ethertype, inner := t.tunnel()
	if types&enabled == 0 {
		return
	}
	*t = tuple{}
	if ethertype == etherBridged {
		t.parse(inner)
	} else {
		t.parseIP(ethertype, inner)
	}
}

// tunnel returns the encapsulations that the headers of a packet are those of, none if it is
// in no tunnel, and what is inside with its ethertype. The specification only names RFCs. A
// GRE header that several of them describe is of several types.
func (t *tuple) tunnel() (types virtio.TunnelTypes, ethertype uint16, inner []byte) {
	switch {
	case t.next == protoIPv4 && t.version == 4 && t.payload != nil:
		return virtio.TunnelIPIP, etherIPv4, t.payload
	case t.next == protoGRE:
		return parseGRE(t.payload, t.version == 6)
	case t.next == protoUDP && len(t.payload) >= udpHeader:
		return parseUDPTunnel(binary.BigEndian.Uint16(t.payload[2:]), t.payload[udpHeader:], t.version == 6)
	}
	return 0, 0, nil
}

// parseGRE returns what is behind a GRE header. Bits that RFC 2784 and RFC 2890 do not
// define are those of another protocol, or of routing, which no one may send any more.
func parseGRE(b []byte, over6 bool) (types virtio.TunnelTypes, ethertype uint16, inner []byte) {
	if len(b) < 4 {
		return 0, 0, nil
	}
	flags, ethertype := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	if flags&^greOptions != 0 {
		return 0, 0, nil
	}
	n := 4
	for _, option := range []uint16{greChecksum, greKey, greSequence} {
		if flags&option != 0 {
			n += 4
		}
	}
	if len(b) < n {
		return 0, 0, nil
	}
	switch {
	case over6 || ethertype == etherIPv6:
		types = virtio.TunnelGRE7676
	case flags&(greKey|greSequence) == 0:
		types = virtio.TunnelGRE2784
	}
	if flags&(greKey|greSequence) != 0 {
		types |= virtio.TunnelGRE2890
	}
	if flags == greKey && ethertype == etherBridged {
		types |= virtio.TunnelNVGRE
	}
	return types, ethertype, b[n:]
}

// parseUDPTunnel returns what is behind the header of an encapsulation in UDP, which the
// destination port says.
func parseUDPTunnel(port uint16, b []byte, over6 bool) (types virtio.TunnelTypes, ethertype uint16, inner []byte) {
	switch {
	case port == portGRE:
		if types, ethertype, inner = parseGRE(b, over6); types != 0 {
			types = virtio.TunnelGREUDP
		}
		return types, ethertype, inner
	case len(b) < 8:
		return 0, 0, nil
	case port == portVXLAN && b[0]&0x08 != 0: // there is a VNI
		return virtio.TunnelVXLAN, etherBridged, b[8:]
	case port == portVXLANGPE && b[0]&0xf4 == 0x04: // version 0, with a next protocol
		return virtio.TunnelVXLANGPE, gpeType(b[3]), b[8:]
	case port == portGeneve && b[0]>>6 == 0:
		options := 4 * int(b[0]&0x3f)
		return virtio.TunnelGeneve, binary.BigEndian.Uint16(b[2:]), b[min(8+options, len(b)):]
	}
	return 0, 0, nil
}

// gpeType returns the ethertype for a next protocol of VXLAN-GPE, 0 if there is none.
func gpeType(protocol byte) uint16 {
	switch protocol {
	case 1:
		return etherIPv4
	case 2:
		return etherIPv6
	case 3:
		return etherBridged
	}
	return 0
}
