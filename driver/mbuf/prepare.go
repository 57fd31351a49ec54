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
	var h DriverTransport
	if err := b.findTransport(op, &h); err != nil {
		return err
	}
	field := int(h.Field())
	return b.prepare(op, &h, func() error { return b.RequestChecksum(h.Start, field) })
}

// PrepareSegmentation asks for the TCP or UDP packet that begins with b to be cut into
// frames of size bytes of payload each when it is sent. It finds the header as
// PrepareChecksum does, writes the sum of the pseudo-header for the whole packet, and does
// what RequestSegmentation does. The IP header must have the length of the whole packet, up
// to 65535 bytes of IPv4. An [*Error] says what is wrong; then nothing is changed.
func (b *Buf) PrepareSegmentation(size int) error {
	const op = "prepare segmentation"
	var h DriverTransport
	if err := b.findTransport(op, &h); err != nil {
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
	b.put16(h.Start+int(h.Field()), h.pseudo)
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

// Field returns how far the checksum field is from the start of the header.
func (h *DriverTransport) Field() uint16 { return h.Kind().checksumField() }

// PutPseudo writes the sum of the pseudo-header to the checksum field of b, of which h is
// what Transport returns.
func (b *DriverBuf) PutPseudo(h *DriverTransport) { (*Buf)(b).putPseudo(h) }

// Transport finds the TCP or UDP header of the packet of n bytes that begins with b, which
// the application holds, and whose chain has an end. It reports whether there is one.
func (b *DriverBuf) Transport(h *DriverTransport, n int) bool { return (*Buf)(b).parse(h, n) == "" }

// findTransport is Transport with an error.
func (b *Buf) findTransport(op string, h *DriverTransport) error {
	if b.view == notHeld {
		return errNotHeld(op)
	}
	if reason := b.parse(h, b.PacketLen()); reason != "" {
		return &Error{Op: op, Reason: reason}
	}
	return nil
}

// parse finds the TCP or UDP header of the packet of n bytes that begins with b.
func (b *Buf) parse(h *DriverTransport, n int) (reason string) {
	if h.parseUsual(b.Data(), n) {
		return ""
	}
	reason = h.parse(b.Data(), n)
	if reason != "" && b.Len() < min(n, longestHeaders) {
		return b.parseCopied(h, n) // several segments may have the headers
	}
	return reason
}

// parseCopied is parse with a copy of the first bytes.
func (b *Buf) parseCopied(h *DriverTransport, n int) (reason string) {
	var front [longestHeaders]byte
	return h.parse(front[:b.CopyTo(front[:])], n)
}

// parseUsual is parse of TCP over IPv4 without VLAN tags and options of IPv4, which most
// packets are that are to be cut. It returns false for another one.
func (h *DriverTransport) parseUsual(front []byte, n int) bool {
	const ip, start = macPair + 2, macPair + 2 + 20
	if len(front) < start+20 {
		return false
	}
	f := (*[start + 20]byte)(front)
	typeAndLength := binary.BigEndian.Uint32(f[ip-2:]) >> 8 // and the version
	end := ip + int(binary.BigEndian.Uint16(f[ip+2:]))
	payload := start + int(f[start+12]>>4)*4
	if typeAndLength != etherIPv4<<8|0x45 || binary.BigEndian.Uint16(f[ip+6:])&0x3fff != 0 || f[ip+9] != protocolTCP ||
		end > n || payload < start+20 || payload > end || payload > len(front) {
		return false
	}
	addresses := uint64(binary.BigEndian.Uint32(f[ip+12:])) + uint64(binary.BigEndian.Uint32(f[ip+16:]))
	*h = DriverTransport{
		IP: ip, Start: start, Payload: payload, End: end, CWR: f[start+13]&tcpCWR != 0,
		pseudo: fold(addresses + protocolTCP + uint64(end-start)),
	}
	return true
}

// parse finds the TCP or UDP header in a packet of n bytes that begins with front. reason
// is why there is none.
func (h *DriverTransport) parse(front []byte, n int) (reason string) {
	at, ethertype := macPair, uint16(0)
	for tags := 0; ; tags++ {
		if len(front) < at+2 || tags > maxTags {
			return "the frame has no type that can be read"
		}
		ethertype = binary.BigEndian.Uint16(front[at:])
		at += 2
		if ethertype != etherVLAN && ethertype != etherQinQ {
			break
		}
		at += 2
	}
	protocol := byte(0)
	*h = DriverTransport{IP: at}
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
		return reason
	case h.End > n:
		return fmt.Sprintf("the IP packet ends at byte %d and the packet has %d", h.End, n)
	}
	return h.parseTransport(front, protocol)
}

// parseIPv4 parses the IPv4 header at h.IP and returns the protocol of its payload.
func (h *DriverTransport) parseIPv4(front []byte) (protocol byte, reason string) {
	if len(front) < h.IP+20 || front[h.IP]>>4 != 4 {
		return 0, "the IPv4 header is not complete"
	}
	ip := (*[20]byte)(front[h.IP:])
	length, total := int(ip[0]&15)*4, int(binary.BigEndian.Uint16(ip[2:]))
	if length < 20 || length > total {
		return 0, fmt.Sprintf("an IPv4 header of %d bytes in a packet of %d", length, total)
	}
	if binary.BigEndian.Uint16(ip[6:])&0x3fff != 0 {
		return 0, "a fragment has no checksum of its own"
	}
	h.Start, h.End = h.IP+length, h.IP+total
	addresses := uint64(binary.BigEndian.Uint32(ip[12:])) + uint64(binary.BigEndian.Uint32(ip[16:]))
	h.pseudo = fold(addresses + uint64(ip[9]) + uint64(total-length))
	return ip[9], ""
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
