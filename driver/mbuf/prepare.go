package mbuf

import (
	"encoding/binary"
	"fmt"
)

const (
	etherIPv4 = 0x0800
	etherIPv6 = 0x86dd

	protocolTCP = 6
	protocolUDP = 17

	// longestHeaders bounds the headers in front of the payload that are looked at.
	longestHeaders = 512
	// maxTags bounds the VLAN tags of a frame, and maxExtensions the extension headers.
	maxTags       = 4
	maxExtensions = 16
)

// PrepareChecksum asks for the TCP or UDP checksum of the packet that begins with b to be
// completed when it is sent. It finds the header behind VLAN tags, options of IPv4 and
// extension headers of IPv6, writes the sum of the pseudo-header to the checksum field,
// and does what RequestChecksum does. What is behind the IP packet, to fill a short
// frame, must be zeros.
//
// An [*Error] says why there is no such checksum: the packet is another one, a fragment,
// or its lengths contradict each other. Then nothing is changed.
func (b *Buf) PrepareChecksum() error {
	const op = "prepare checksum"
	h, err := b.findTransport(op)
	if err != nil {
		return err
	}
	return b.prepare(op, h, func() error { return b.RequestChecksum(h.start, h.field()) })
}

// PrepareSegmentation asks for the TCP or UDP packet that begins with b to be cut into
// frames of size bytes of payload each when it is sent. It finds the header as
// PrepareChecksum does, writes the sum of the pseudo-header for the whole packet, and does
// what RequestSegmentation does. The IP header must have the length of the whole packet, up
// to 65535 bytes of IPv4. An [*Error] says what is wrong; then nothing is changed.
func (b *Buf) PrepareSegmentation(size int) error {
	const op = "prepare segmentation"
	h, err := b.findTransport(op)
	if err != nil {
		return err
	}
	kind := SegmentUDP
	if h.protocol == protocolTCP {
		kind = SegmentTCPv4
		if h.v6 {
			kind = SegmentTCPv6
		}
	}
	return b.prepare(op, h, func() error { return b.RequestSegmentation(kind, h.start, size) })
}

// prepare makes a request, and writes the sum of the pseudo-header if it is accepted.
func (b *Buf) prepare(op string, h transport, request func() error) error {
	for i := h.end; i < b.PacketLen(); i++ {
		if b.byteAt(i) != 0 {
			return &Error{Op: op, Reason: "bytes behind the IP packet would be summed as well",
				Remedy: "cut them off"}
		}
	}
	if err := request(); err != nil {
		return err
	}
	b.setByte(h.start+h.field(), byte(h.pseudo>>8))
	b.setByte(h.start+h.field()+1, byte(h.pseudo))
	return nil
}

// transport says where in a packet the TCP or UDP header is.
type transport struct {
	start    int // of the header
	end      int // of the IP packet
	v6       bool
	protocol byte
	pseudo   uint16 // sum of the pseudo-header
}

// field returns where in the header the checksum is.
func (h transport) field() int {
	if h.protocol == protocolUDP {
		return udpChecksum
	}
	return tcpChecksum
}

// findTransport finds the TCP or UDP header of a packet.
func (b *Buf) findTransport(op string) (transport, error) {
	if b.view == notHeld {
		return transport{}, &Error{Op: op, Reason: "the buffer is not held by the application: " +
			"it was freed or sent"}
	}
	front := b.Data()
	if b.next != nil && len(front) < longestHeaders {
		front = make([]byte, longestHeaders)
		front = front[:b.CopyTo(front)]
	}
	h, reason := parse(front, b.PacketLen())
	if reason != "" {
		return transport{}, &Error{Op: op, Reason: reason}
	}
	return h, nil
}

// parse finds the TCP or UDP header in a packet of n bytes that begins with front. reason
// is why there is none.
func parse(front []byte, n int) (h transport, reason string) {
	at, ethertype := macPair, uint16(0)
	for tags := 0; ; tags++ {
		if len(front) < at+2 || tags > maxTags {
			return h, "the frame has no type that can be read"
		}
		ethertype = binary.BigEndian.Uint16(front[at:])
		at += 2
		if ethertype != etherVLAN && ethertype != etherQinQ {
			break
		}
		at += 2
	}
	switch ethertype {
	case etherIPv4:
		h, reason = parseIPv4(front, at)
	case etherIPv6:
		h, reason = parseIPv6(front, at)
	default:
		return h, fmt.Sprintf("frames of type %#04x are neither IPv4 nor IPv6", ethertype)
	}
	if reason != "" {
		return h, reason
	}
	least := 8
	if h.protocol == protocolTCP {
		least = 20
	}
	switch {
	case h.protocol != protocolTCP && h.protocol != protocolUDP:
		return h, fmt.Sprintf("protocol %d is neither TCP nor UDP", h.protocol)
	case h.end > n:
		return h, fmt.Sprintf("the IP packet ends at byte %d and the packet has %d", h.end, n)
	case h.start+least > h.end || h.start+least > len(front):
		return h, "the TCP or UDP header is not complete"
	}
	return h, ""
}

// parseIPv4 parses the IPv4 header at byte at.
func parseIPv4(front []byte, at int) (h transport, reason string) {
	if len(front) < at+20 || front[at]>>4 != 4 {
		return h, "the IPv4 header is not complete"
	}
	ip := front[at:]
	length := int(ip[0]&15) * 4
	total := int(binary.BigEndian.Uint16(ip[2:]))
	if length < 20 || length > total {
		return h, fmt.Sprintf("an IPv4 header of %d bytes in a packet of %d", length, total)
	}
	if binary.BigEndian.Uint16(ip[6:])&0x3fff != 0 {
		return h, "a fragment has no checksum of its own"
	}
	h = transport{start: at + length, end: at + total, protocol: ip[9]}
	h.pseudo = fold(sumBytes(ip[12:20]) + uint64(h.protocol) + uint64(total-length))
	return h, ""
}

// parseIPv6 parses the IPv6 header at byte at and its extension headers.
func parseIPv6(front []byte, at int) (h transport, reason string) {
	if len(front) < at+40 || front[at]>>4 != 6 {
		return h, "the IPv6 header is not complete"
	}
	ip := front[at:]
	h = transport{v6: true, start: at + 40, protocol: ip[6]}
	h.end = h.start + int(binary.BigEndian.Uint16(ip[4:]))
	destination := ip[24:40]
	for range maxExtensions {
		ext := front[min(h.start, len(front)):min(h.end, len(front))]
		if !isExtension(h.protocol) {
			length := h.end - h.start
			h.pseudo = fold(sumBytes(ip[8:24]) + sumBytes(destination) + uint64(h.protocol) +
				uint64(length))
			return h, ""
		}
		if len(ext) < 8 {
			return h, "an IPv6 extension header is not complete"
		}
		switch h.protocol {
		case extFragment:
			return h, "a fragment has no checksum of its own"
		case extRouting:
			if ext[3] != 0 {
				return h, "the final destination is in a routing header"
			}
		}
		h.protocol, h.start = ext[0], h.start+8+int(ext[1])*8
	}
	return h, "the packet has too many IPv6 extension headers"
}

// IPv6 extension headers.
const (
	extHopByHop    = 0
	extRouting     = 43
	extFragment    = 44
	extDestination = 60
)

// isExtension reports whether a next header of IPv6 is an extension header.
func isExtension(next byte) bool {
	return next == extHopByHop || next == extRouting || next == extFragment || next == extDestination
}

// byteAt returns byte i of the packet, which has it.
func (b *Buf) byteAt(i int) byte {
	for i >= b.Len() {
		i -= b.Len()
		b = b.next
	}
	return b.Data()[i]
}
