package vdev

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Flags of TCP.
const (
	tcpFIN = 0x01
	tcpPSH = 0x08
	tcpCWR = 0x80
)

// headers is where the headers of a TCP or UDP packet are: offsets into the frame, all
// of them inside it. A frame in memory of the driver may change, its length does not.
type headers struct {
	v6      bool
	proto   byte
	l3      int // IP
	l4      int // TCP or UDP
	payload int
	end     int // of the IP packet: what follows is padding
}

// parse finds the headers of a frame. It returns false if that is no whole TCP or UDP
// packet over IP, or a fragment.
func parse(frame []byte) (h headers, ok bool) {
	be := binary.BigEndian
	if len(frame) < etherHeader {
		return h, false
	}
	h.l3 = etherHeader
	kind := be.Uint16(frame[12:])
	for tags := 0; (kind == etherVLAN || kind == etherQinQ) && tags < 2; tags++ {
		if len(frame) < h.l3+vlanTag {
			return h, false
		}
		kind = be.Uint16(frame[h.l3+2:])
		h.l3 += vlanTag
	}
	switch kind {
	case etherIPv4:
		ok = h.ipv4(frame)
	case etherIPv6:
		ok = h.ipv6(frame)
	}
	return h, ok && h.transport(frame)
}

func (h *headers) ipv4(frame []byte) bool {
	ip := frame[h.l3:]
	if len(ip) < 20 || ip[0]>>4 != 4 {
		return false
	}
	n := 4 * int(ip[0]&15)
	if n < 20 || n > len(ip) || binary.BigEndian.Uint16(ip[6:])&0x3fff != 0 {
		return false
	}
	h.proto, h.l4 = ip[9], h.l3+n
	h.end = min(h.l3+int(binary.BigEndian.Uint16(ip[2:])), len(frame))
	return true
}

// ipv6 follows the extension headers that may stand before TCP and UDP (RFC 8200).
func (h *headers) ipv6(frame []byte) bool {
	h.v6 = true
	ip := frame[h.l3:]
	if len(ip) < 40 || ip[0]>>4 != 6 {
		return false
	}
	h.proto, h.l4 = ip[6], h.l3+40
	h.end = min(h.l4+int(binary.BigEndian.Uint16(ip[4:])), len(frame))
	for h.proto == protoHop || h.proto == protoRoute || h.proto == protoDest {
		if len(frame) < h.l4+8 {
			return false
		}
		h.proto, h.l4 = frame[h.l4], h.l4+8+8*int(frame[h.l4+1])
	}
	return h.l4 <= len(frame)
}

func (h *headers) transport(frame []byte) bool {
	n := 8
	if h.proto == protoTCP {
		if len(frame) < h.l4+20 {
			return false
		}
		n = 4 * int(frame[h.l4+12]>>4)
		if n < 20 {
			return false
		}
	}
	h.payload = h.l4 + n
	return (h.proto == protoTCP || h.proto == protoUDP) && h.payload <= min(len(frame), 65535)
}

// checksumAt is where the checksum is in the transport header.
func (h *headers) checksumAt() int {
	if h.proto == protoTCP {
		return 16
	}
	return 6
}

// gso is the gso_type of such a packet.
func (h *headers) gso() uint8 {
	switch {
	case h.proto == protoUDP:
		return virtio.GSOUDPL4
	case h.v6:
		return virtio.GSOTCPv6
	}
	return virtio.GSOTCPv4
}

// pseudoHeader is the sum of the pseudo-header for n bytes of transport header and
// payload (RFC 9293, 768, 8200).
func (h *headers) pseudoHeader(frame []byte, n int) uint16 {
	addresses := frame[h.l3+12 : h.l3+20]
	if h.v6 {
		addresses = frame[h.l3+8 : h.l3+40]
	}
	return addSums(addSums(onesSum(addresses), uint16(h.proto)), addSums(uint16(n>>16), uint16(n)))
}

// unsummed reports whether a packet is one of UDP without a checksum.
func (h *headers) unsummed(frame []byte) bool {
	at := h.l4 + h.checksumAt()
	return h.proto == protoUDP && frame[at]|frame[at+1] == 0
}

// valid reports whether the checksum of a packet that is complete is there and right.
func (h *headers) valid(frame []byte) bool {
	if h.end < h.payload || h.unsummed(frame) {
		return false
	}
	if !h.v6 && onesSum(frame[h.l3:h.l4]) != 0xffff {
		return false
	}
	n := h.end - h.l4
	return addSums(h.pseudoHeader(frame, n), onesSum(frame[h.l4:h.end])) == 0xffff
}
