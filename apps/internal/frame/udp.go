package frame

import (
	"encoding/binary"
	"net"
	"net/netip"
)

// Where the parts of the headers begin, in bytes.
const (
	ipOffset   = 14
	udpOffset  = ipOffset + 20
	sumOffset  = ipOffset + 10
	srcOffset  = ipOffset + 12
	destOffset = ipOffset + 16
	// HeaderLen is the length of the Ethernet, IPv4 and UDP headers.
	HeaderLen = udpOffset + 8
)

// MaxLen is the longest frame that UDP describes: the length of its IPv4 packet
// has 16 bits.
const MaxLen = ipOffset + 1<<16 - 1

// Header is the Ethernet, IPv4 and UDP headers of a frame. Its size is known to
// the compiler, so that writing it to a packet is a few wide stores:
//
//	*(*frame.Header)(data) = header
type Header [HeaderLen]byte

// UDP describes the headers of a frame.
type UDP struct {
	Dst, Src         net.HardwareAddr
	SrcIP, DstIP     netip.Addr // IPv4
	SrcPort, DstPort uint16
	Len              int // of the whole frame, HeaderLen to MaxLen bytes
}

// Header returns the headers, time to live 64, with the checksum of the IPv4
// header and none of UDP, as DPDK's testpmd does.
func (u UDP) Header() Header {
	var h Header
	copy(h[0:], u.Dst)
	copy(h[6:], u.Src)
	binary.BigEndian.PutUint16(h[12:], 0x0800)
	h[ipOffset] = 0x45 // version 4, five words
	binary.BigEndian.PutUint16(h[ipOffset+2:], uint16(u.Len-ipOffset))
	h[ipOffset+8] = 64
	h[ipOffset+9] = 17 // UDP
	src, dst := u.SrcIP.As4(), u.DstIP.As4()
	copy(h[ipOffset+12:], src[:])
	copy(h[destOffset:], dst[:])
	binary.BigEndian.PutUint16(h[sumOffset:], fold(h.sum()))
	binary.BigEndian.PutUint16(h[udpOffset:], u.SrcPort)
	binary.BigEndian.PutUint16(h[udpOffset+2:], u.DstPort)
	binary.BigEndian.PutUint16(h[udpOffset+4:], uint16(u.Len-udpOffset))
	return h
}

// sum returns the sum of the words of the IPv4 header without its checksum.
func (h *Header) sum() uint32 {
	var sum uint32
	for i := ipOffset; i < udpOffset; i += 2 {
		if i != sumOffset {
			sum += uint32(binary.BigEndian.Uint16(h[i:]))
		}
	}
	return sum
}

// fold returns the checksum of a sum of words.
func fold(sum uint32) uint16 {
	sum = sum&0xffff + sum>>16
	return ^uint16(sum + sum>>16)
}

// Flows are headers that differ in the low 16 bits of an address, and so in the checksum.
type Flows struct {
	header Header
	at     int    // where these bits are
	sum    uint32 // of the header with them all 0
}

// Flows returns the headers of flows from u, whose destination address should end in .0.0.
func (u UDP) Flows() *Flows { return u.flows(destOffset + 2) }

// SourceFlows returns the headers of flows to one destination, from source addresses that differ
// from that of u in the low 16 bits.
func (u UDP) SourceFlows() *Flows { return u.flows(srcOffset + 2) }

func (u UDP) flows(at int) *Flows {
	f := &Flows{header: u.Header(), at: at}
	binary.BigEndian.PutUint16(f.header[at:], 0)
	f.sum = f.header.sum()
	return f
}

// Write writes the header of flow n to data, which must have HeaderLen bytes;
// fewer are left as they are.
func (f *Flows) Write(data []byte, n uint16) {
	if len(data) < HeaderLen {
		return
	}
	h := (*Header)(data)
	*h = f.header
	binary.BigEndian.PutUint16(h[sumOffset:], fold(f.sum+uint32(n)))
	binary.BigEndian.PutUint16(h[f.at:], n)
}
