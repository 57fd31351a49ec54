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
	field := int(h.Kind().checksumField())
	return b.prepare(op, &h, func() error { return b.RequestChecksum(h.Start, field) })
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
	return b.prepare(op, &h, func() error { return b.RequestSegmentation(h.Kind(), h.Start, size) })
}

// prepare makes a request, and writes the sum of the pseudo-header if it is accepted.
func (b *Buf) prepare(op string, h *DriverTransport, request func() error) error {
	for i := h.End; i < b.PacketLen(); i++ {
		if b.byteAt(i) != 0 {
			return &Error{Op: op, Reason: "bytes behind the IP packet would be summed as well",
				Remedy: "cut them off"}
		}
	}
	if err := request(); err != nil {
		return err
	}
	b.putPseudo(h)
	return nil
}

// putPseudo writes the sum of the pseudo-header to the checksum field.
func (b *Buf) putPseudo(h *DriverTransport) {
	b.put16(h.Start+int(h.Kind().checksumField()), h.pseudo)
}

// DriverTransport says where in a packet the TCP or UDP header is. Offsets are in bytes
// from the start of the packet.
type DriverTransport struct {
	IP      int // where the IP header begins
	Start   int // where the TCP or UDP header begins
	Payload int // where it ends
	End     int // where the IP packet ends
	V6      bool
	UDP     bool
	CWR     bool // flag of a TCP header

	pseudo uint16 // sum of the pseudo-header
}

// Kind returns how a packet with this header is cut into frames.
func (h *DriverTransport) Kind() Segmentation {
	switch {
	case h.UDP:
		return SegmentUDP
	case h.V6:
		return SegmentTCPv6
	}
	return SegmentTCPv4
}

// Transport finds the TCP or UDP header of the packet of n bytes that begins with b, which
// the application holds, and whose chain has an end.
func (b *DriverBuf) Transport(n int) (h DriverTransport, ok bool) {
	h, reason := (*Buf)(b).parse(n)
	return h, reason == ""
}

// findTransport is Transport with an error.
func (b *Buf) findTransport(op string) (h DriverTransport, err error) {
	if b.view == notHeld {
		return h, errNotHeld(op)
	}
	h, reason := b.parse(b.PacketLen())
	if reason != "" {
		return h, &Error{Op: op, Reason: reason}
	}
	return h, nil
}

// parse finds the TCP or UDP header of the packet of n bytes that begins with b.
func (b *Buf) parse(n int) (h DriverTransport, reason string) {
	h, reason = parse(b.Data(), n)
	if reason != "" && b.Len() < min(n, longestHeaders) {
		return b.parseCopied(n) // several segments may have the headers
	}
	return h, reason
}

// parseCopied is parse with a copy of the first bytes.
func (b *Buf) parseCopied(n int) (h DriverTransport, reason string) {
	var front [longestHeaders]byte
	return parse(front[:b.CopyTo(front[:])], n)
}

// parse finds the TCP or UDP header in a packet of n bytes that begins with front. reason
// is why there is none.
func parse(front []byte, n int) (h DriverTransport, reason string) {
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
	protocol := byte(0)
	h.IP = at
	switch ethertype {
	case etherIPv4:
		protocol, reason = h.parseIPv4(front)
	case etherIPv6:
		protocol, reason = h.parseIPv6(front)
	default:
		reason = fmt.Sprintf("frames of type %#04x are neither IPv4 nor IPv6", ethertype)
	}
	switch {
	case reason != "":
		return h, reason
	case h.End > n:
		return h, fmt.Sprintf("the IP packet ends at byte %d and the packet has %d", h.End, n)
	}
	return h, h.parseTransport(front, protocol)
}

// parseIPv4 parses the IPv4 header at h.IP and returns the protocol of its payload.
func (h *DriverTransport) parseIPv4(front []byte) (protocol byte, reason string) {
	if len(front) < h.IP+20 || front[h.IP]>>4 != 4 {
		return 0, "the IPv4 header is not complete"
	}
	ip := front[h.IP:]
	length, total := int(ip[0]&15)*4, int(binary.BigEndian.Uint16(ip[2:]))
	if length < 20 || length > total {
		return 0, fmt.Sprintf("an IPv4 header of %d bytes in a packet of %d", length, total)
	}
	if binary.BigEndian.Uint16(ip[6:])&0x3fff != 0 {
		return 0, "a fragment has no checksum of its own"
	}
	protocol = ip[9]
	h.Start, h.End = h.IP+length, h.IP+total
	h.pseudo = fold(sumBytes(ip[12:20]) + uint64(protocol) + uint64(total-length))
	return protocol, ""
}

// parseIPv6 parses the IPv6 header at h.IP and its extension headers, and returns the
// protocol of its payload.
func (h *DriverTransport) parseIPv6(front []byte) (protocol byte, reason string) {
	if len(front) < h.IP+40 || front[h.IP]>>4 != 6 {
		return 0, "the IPv6 header is not complete"
	}
	ip := front[h.IP:]
	protocol = ip[6]
	h.V6, h.Start = true, h.IP+40
	h.End = h.Start + int(binary.BigEndian.Uint16(ip[4:]))
	for range maxExtensions {
		if !isExtension(protocol) {
			h.pseudo = fold(sumBytes(ip[8:40]) + uint64(protocol) + uint64(max(h.End-h.Start, 0)))
			return protocol, ""
		}
		ext := front[min(h.Start, len(front)):]
		switch {
		case len(ext) < 8:
			return 0, "an IPv6 extension header is not complete"
		case protocol == extFragment:
			return 0, "a fragment has no checksum of its own"
		case protocol == extRouting && ext[3] != 0:
			return 0, "the final destination is in a routing header"
		}
		protocol = ext[0]
		h.Start += 8 + int(ext[1])*8
	}
	return 0, "the packet has too many IPv6 extension headers"
}

// parseTransport parses the TCP or UDP header at h.Start.
func (h *DriverTransport) parseTransport(front []byte, protocol byte) (reason string) {
	length := 0
	switch protocol {
	case protocolTCP:
		if len(front) < h.Start+20 {
			return incomplete
		}
		length = int(front[h.Start+12]>>4) * 4
		h.CWR = front[h.Start+13]&tcpCWR != 0
		if length < 20 {
			return fmt.Sprintf("a TCP header of %d bytes", length)
		}
	case protocolUDP:
		h.UDP, length = true, 8
	default:
		return fmt.Sprintf("protocol %d is neither TCP nor UDP", protocol)
	}
	h.Payload = h.Start + length
	if h.Payload > h.End || h.Payload > len(front) {
		return incomplete
	}
	return ""
}

const (
	incomplete = "the TCP or UDP header is not complete"
	tcpCWR     = 0x80
)

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
