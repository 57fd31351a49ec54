package frame

import "encoding/binary"

// The types of payloads and protocols that [Parse] knows.
const (
	TypeIPv4 = 0x0800
	TypeARP  = 0x0806
	TypeVLAN = 0x8100
	TypeQinQ = 0x88a8
	TypeIPv6 = 0x86dd

	ProtoICMP   = 1
	ProtoTCP    = 6
	ProtoUDP    = 17
	ProtoICMPv6 = 58
	ProtoSCTP   = 132
)

const (
	macLen  = 14
	vlanLen = 4
)

// Layers says which headers a frame begins with, and how long they are in bytes.
type Layers struct {
	Type     uint16 // of what follows the Ethernet header and its VLAN tags
	VLANs    int
	L2Len    int   // the Ethernet header with its tags; 0 if the frame is shorter than that
	L3Len    int   // the IP header with its options, 0 if there is none that is complete
	Proto    uint8 // behind the IP header
	Fragment bool  // not the first of several: it has no header of L4
	L4Len    int   // the header of TCP, UDP, SCTP or ICMP, 0 if there is none that is complete
}

// Parse finds the headers of a frame. It looks at nothing but data, which need not be the whole
// frame, and trusts no length in it.
func Parse(data []byte) Layers {
	var l Layers
	if len(data) < macLen {
		return l
	}
	l.L2Len = macLen
	l.Type = binary.BigEndian.Uint16(data[12:])
	for l.Type == TypeVLAN || l.Type == TypeQinQ {
		if len(data) < l.L2Len+vlanLen {
			return l
		}
		l.Type = binary.BigEndian.Uint16(data[l.L2Len+2:])
		l.L2Len, l.VLANs = l.L2Len+vlanLen, l.VLANs+1
	}
	switch rest := data[l.L2Len:]; l.Type {
	case TypeIPv4:
		l.ipv4(rest)
	case TypeIPv6:
		l.ipv6(rest)
	}
	return l
}

func (l *Layers) ipv4(data []byte) {
	const least = 20
	if len(data) < least || data[0]>>4 != 4 {
		return
	}
	n := int(data[0]&0xf) * 4
	if n < least || n > len(data) {
		return
	}
	l.L3Len, l.Proto = n, data[9]
	l.Fragment = binary.BigEndian.Uint16(data[6:])&0x1fff != 0
	l.l4(data[n:])
}

// ipv6 takes the fixed header: what follows extension headers is not looked for.
func (l *Layers) ipv6(data []byte) {
	const n = 40
	if len(data) < n || data[0]>>4 != 6 {
		return
	}
	l.L3Len, l.Proto = n, data[6]
	l.l4(data[n:])
}

func (l *Layers) l4(data []byte) {
	if l.Fragment {
		return
	}
	n := 0
	switch l.Proto {
	case ProtoUDP, ProtoICMP, ProtoICMPv6:
		n = 8
	case ProtoSCTP:
		n = 12
	case ProtoTCP:
		if len(data) < 20 {
			return
		}
		n = max(int(data[12]>>4)*4, 20)
	}
	if n <= len(data) {
		l.L4Len = n
	}
}

// Payload returns where the headers end.
func (l *Layers) Payload() int { return l.L2Len + l.L3Len + l.L4Len }

// RenewIPv4 makes the checksum of an IPv4 header anew, and reports whether it was right.
func RenewIPv4(header []byte) bool {
	const at = 10
	before := binary.BigEndian.Uint16(header[at:])
	var sum uint32
	for i := 0; i+1 < len(header); i += 2 {
		if i != at {
			sum += uint32(binary.BigEndian.Uint16(header[i:]))
		}
	}
	sum = sum&0xffff + sum>>16
	right := fold(sum)
	binary.BigEndian.PutUint16(header[at:], right)
	return before == right || before == 0xffff && right == 0
}
