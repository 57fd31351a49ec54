package traffic

import "encoding/binary"

// sum is one checksum of a packet: which bytes it covers, and what of them changes from
// packet to packet. Sums are ones' complement: modulo 65,535, in which a number of any
// length is the sum of its 16-bit words, so that a changed value is added as it is, times
// 256 if it ends at an odd place.
type sum struct {
	at     int // where it is stored
	spans  []span
	udp    bool // 0 means that there is none: 65,535 is stored instead
	wrong  bool
	pseudo func(length int) uint64 // what it covers besides; nil: nothing

	fields []term // the variable words that it covers
	inner  []term // and the checksums, which are computed before it
}

// span is a part of a packet. Its end is that of the packet if it is 0.
type span struct{ start, end int }

// term is a number that varies and what it counts in a sum: times 1 or times 256.
type term struct {
	index  int
	factor uint64
}

// sums returns the checksums of a packet, innermost first.
func (s *stack) sums() []sum {
	var list []sum
	for i := len(s.layers) - 1; i >= 0; i-- {
		at := s.at[i]
		c := sum{spans: []span{{start: at}}}
		mode := ChecksumRight
		switch l := s.layers[i].(type) {
		case IPv4:
			c.at, c.spans[0].end, mode = at+10, at+20, l.Checksum
		case UDP:
			c.at, c.udp, mode = at+6, true, l.Checksum
			s.cover(&c, i, 17)
		case TCP:
			c.at, mode = at+16, l.Checksum
			s.cover(&c, i, 6)
		case ICMP:
			c.at, mode = at+2, l.Checksum
		case ICMPv6:
			c.at, mode = at+2, l.Checksum
			s.cover(&c, i, 58)
		default:
			continue
		}
		if mode == ChecksumNone {
			continue
		}
		c.wrong = mode == ChecksumWrong
		for k, in := range list {
			if f := c.factor(in.at, in.at+2, 1<<30); f != 0 {
				c.inner = append(c.inner, term{k, f})
			}
		}
		list = append(list, c)
	}
	return list
}

// cover adds the pseudo header of header i to a checksum.
func (s *stack) cover(c *sum, i int, protocol uint64) {
	n := s.network(i)
	at := s.at[n]
	if _, ok := s.layers[n].(IPv4); ok {
		c.spans = append(c.spans, span{at + 12, at + 20})
	} else {
		c.spans = append(c.spans, span{at + 8, at + 40})
	}
	start := s.at[i]
	c.pseudo = func(length int) uint64 { return protocol + uint64(length-start) }
}

// factor returns what a number from start to end of a packet counts: 0 if the checksum
// does not cover it.
func (c *sum) factor(start, end, length int) uint64 {
	for _, s := range c.spans {
		if s.end == 0 {
			s.end = length
		}
		if start >= s.start && end <= s.end {
			return 1 << (8 * uint((end-s.start)&1))
		}
	}
	return 0
}

// crosses reports whether a number from start to end lies partly outside what the
// checksum covers.
func (c *sum) crosses(start, end, length int) bool {
	for _, s := range c.spans {
		if s.end == 0 {
			s.end = length
		}
		if start < s.end && end > s.start && (start < s.start || end > s.end) {
			return true
		}
	}
	return false
}

// base returns the sum of what does not vary in a packet.
func (c *sum) base(packet []byte) uint64 {
	var total uint64
	for _, s := range c.spans {
		if s.end == 0 {
			s.end = len(packet)
		}
		total += words(packet[s.start:s.end])
	}
	if c.pseudo != nil {
		total += c.pseudo(len(packet))
	}
	// At least 65,535, so that a sum of 0 comes out as one of 65,535, which is what
	// adding up words gives.
	return total%0xffff + 0xffff
}

// words returns the sum of the 16-bit words of b.
func words(b []byte) (total uint64) {
	for ; len(b) > 1; b = b[2:] {
		total += uint64(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		total += uint64(b[0]) << 8
	}
	return total
}

// short returns a number that counts the same in a sum as v and is below 1<<33.
func short(v uint64) uint64 { return v>>32 + v&0xffffffff }

// finish returns the checksum of a sum below 1<<46. In place of 0 it returns the given
// value, 0 or 65,535.
func finish(s uint64, zero uint16) uint16 {
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff // at most 0x1fffe
	sum := ^uint16(s + s>>16)
	return sum | uint16((uint32(sum)-1)>>16)&zero
}

// zero returns what is stored for a checksum of 0.
func (c *sum) zero() uint16 {
	if c.udp {
		return 0xffff
	}
	return 0
}

// wrong returns another checksum than the right one, and not 0, which could mean that
// there is none.
func wrong(sum uint16) uint16 {
	if sum == 1 {
		return 2
	}
	return sum ^ 1
}

// store returns what is stored for a sum that does not change.
func (c *sum) store(total uint64) uint16 {
	if c.wrong {
		return wrong(finish(total, c.zero()))
	}
	return finish(total, c.zero())
}
