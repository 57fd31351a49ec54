package meter

import (
	"encoding/binary"
	"math/bits"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
)

// The numbers of the headers that are checked.
const (
	typeIPv4 = 0x0800
	typeIPv6 = 0x86dd
	typeVLAN = 0x8100
	typeQinQ = 0x88a8
	typeOld  = 0x9100 // of QinQ, before 802.1ad

	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58

	portVXLAN = 4789

	// maxDepth is how many Ethernet headers within each other are looked at.
	maxDepth = 4
)

// check looks at the headers of one packet, and holds the first thing wrong of each kind.
type check struct {
	verify   Verify
	length   fault
	checksum fault
}

// wrongLength notes a length. What it is of is not looked into any further.
func (c *check) wrongLength(what string, got, want int) {
	if c.verify.Lengths && c.length.what == "" {
		c.length = fault{kind: Length, what: what, got: uint32(got), want: uint32(want)}
	}
}

// sum checks that the words of data add up, with those that begin contains. at is where in
// data the checksum is.
func (c *check) sum(what string, data []byte, at int, begin uint64) {
	if !c.verify.Checksums || c.checksum.what != "" {
		return
	}
	if total := fold(begin + words(data)); total != 0xffff {
		got := binary.BigEndian.Uint16(data[at:])
		// The sum of all words but this one, complemented, is the right checksum.
		want := ^fold(uint64(total) + uint64(^got))
		if want == 0 && what != "IPv4 header checksum" {
			want = 0xffff
		}
		c.checksum = fault{kind: Checksum, what: what, got: uint32(got), want: uint32(want)}
	}
}

// ethernet checks a frame.
func (c *check) ethernet(frame []byte, depth int) {
	at := 12
	for {
		if len(frame) < at+2 {
			c.wrongLength("Ethernet frame", len(frame), at+2)
			return
		}
		kind := binary.BigEndian.Uint16(frame[at:])
		at += 2
		switch kind {
		case typeVLAN, typeQinQ, typeOld:
			at += 2
			continue
		case typeIPv4:
			c.ipv4(frame[at:], len(frame) <= traffic.MinFrame, depth)
		case typeIPv6:
			c.ipv6(frame[at:], len(frame) <= traffic.MinFrame, depth)
		}
		return
	}
}

// ipv4 checks an IPv4 packet, which padding may follow.
func (c *check) ipv4(p []byte, padded bool, depth int) {
	if len(p) < 20 {
		c.wrongLength("IPv4 header", len(p), 20)
		return
	}
	header := int(p[0]&15) * 4
	if header < 20 || header > len(p) {
		c.wrongLength("IPv4 header length", header, 20)
		return
	}
	c.sum("IPv4 header checksum", p[:header], 10, 0)
	total := int(binary.BigEndian.Uint16(p[2:]))
	if total < header || total > len(p) || total < len(p) && !padded {
		c.wrongLength("IPv4 total length", total, len(p))
		return
	}
	if binary.BigEndian.Uint16(p[6:])&0x3fff != 0 {
		return // a fragment
	}
	proto := p[9]
	c.transport(proto, p[header:total], words(p[12:20])+uint64(proto)+uint64(total-header), true, depth)
}

// ipv6 checks an IPv6 packet, which padding may follow. Extension headers are not
// looked into.
func (c *check) ipv6(p []byte, padded bool, depth int) {
	if len(p) < 40 {
		c.wrongLength("IPv6 header", len(p), 40)
		return
	}
	n := int(binary.BigEndian.Uint16(p[4:]))
	if n > len(p)-40 || n < len(p)-40 && !padded {
		c.wrongLength("IPv6 payload length", n, len(p)-40)
		return
	}
	proto := p[6]
	c.transport(proto, p[40:40+n], words(p[8:40])+uint64(proto)+uint64(n), false, depth)
}

// transport checks what an IP packet carries. pseudo is the sum of the pseudo header.
func (c *check) transport(proto byte, p []byte, pseudo uint64, v4 bool, depth int) {
	switch {
	case proto == protoUDP:
		c.udp(p, pseudo, v4, depth)
	case proto == protoTCP && len(p) < 20:
		c.wrongLength("TCP header", len(p), 20)
	case proto == protoTCP:
		c.sum("TCP checksum", p, 16, pseudo)
	case proto == protoICMP && v4 && len(p) >= 4:
		c.sum("ICMP checksum", p, 2, 0)
	case proto == protoICMPv6 && !v4 && len(p) >= 4:
		c.sum("ICMPv6 checksum", p, 2, pseudo)
	}
}

func (c *check) udp(p []byte, pseudo uint64, v4 bool, depth int) {
	if len(p) < 8 {
		c.wrongLength("UDP header", len(p), 8)
		return
	}
	if n := int(binary.BigEndian.Uint16(p[4:])); n != len(p) {
		c.wrongLength("UDP length", n, len(p))
		return
	}
	vxlan := binary.BigEndian.Uint16(p[2:]) == portVXLAN
	if none := p[6]|p[7] == 0 && (v4 || vxlan); !none {
		c.sum("UDP checksum", p, 6, pseudo)
	}
	if vxlan && len(p) > 16 && depth < maxDepth {
		c.ethernet(p[16:], depth+1)
	}
}

// words returns a number below 1<<36 that is the sum of the 16-bit words of b modulo 65,535,
// and 0 only if all are.
func words(b []byte) (total uint64) {
	var carry uint64
	for ; len(b) >= 32; b = b[32:] {
		total, carry = bits.Add64(total, binary.BigEndian.Uint64(b), carry)
		total, carry = bits.Add64(total, binary.BigEndian.Uint64(b[8:]), carry)
		total, carry = bits.Add64(total, binary.BigEndian.Uint64(b[16:]), carry)
		total, carry = bits.Add64(total, binary.BigEndian.Uint64(b[24:]), carry)
	}
	total = total>>32 + total&0xffffffff + carry
	for ; len(b) >= 8; b = b[8:] {
		v := binary.BigEndian.Uint64(b)
		total += v>>32 + v&0xffffffff
	}
	for ; len(b) >= 2; b = b[2:] {
		total += uint64(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		total += uint64(b[0]) << 8
	}
	return total
}

// fold returns a sum of words in 16 bits.
func fold(s uint64) uint16 {
	s = s>>32 + s&0xffffffff
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	return uint16(s>>16 + s&0xffff)
}
