package traffic

import "fmt"

// addPatch adds a word that changes, and what it counts in checksums.
func (c *fieldCompiler) addPatch(f patch) error {
	p := c.program
	start, end := f.span()
	overlap := func(what string) error {
		return &Error{Value: fmt.Sprintf("bytes %d to %d", start, end-1), Reason: "part of them is " + what,
			Remedy: "let other bytes change"}
	}
	for _, other := range p.patches {
		if s, e := other.span(); start < e && s < end && sharesBits(f, other) {
			return overlap("a field above")
		}
	}
	if name := c.stack.derived(start, end); name != "" {
		return overlap(name + ", which follows from the rest of the packet")
	}
	for i := range c.sums {
		s := &c.sums[i]
		if s.crosses(start, end, len(c.packet)) {
			return overlap("covered by a checksum, and part is not")
		}
		if s.factor(start, end, len(c.packet)) != 0 {
			s.fields = append(s.fields, term{len(p.patches), s.factor(start, f.at+f.width, 1<<30)})
		}
	}
	p.patches = append(p.patches, f)
	return nil
}

// sharesBits reports whether a bit belongs to both words.
func sharesBits(a, b patch) bool {
	var bits [2 * 8]byte
	from := min(a.at, b.at)
	for i := range a.width {
		bits[a.at-from+i] = byte(a.bitsOf() >> (8 * (a.width - 1 - i)))
	}
	for i := range b.width {
		if bits[b.at-from+i]&byte(b.bitsOf()>>(8*(b.width-1-i))) != 0 {
			return true
		}
	}
	return false
}

// part is some bytes of a header that follow from the rest of a packet.
type part struct {
	name       string
	start, end int // in the header
}

// derivedParts returns the parts of a header that are computed.
func derivedParts(l Layer) []part {
	switch l := l.(type) {
	case IPv4:
		return []part{{"the version and the length of an IPv4 header", 0, 1}, {"the length of an IPv4 packet", 2, 4},
			{"the checksum of an IPv4 header", 10, 12}}
	case IPv6:
		return []part{{"the length of an IPv6 packet", 4, 6}}
	case UDP:
		parts := []part{{"the length of a UDP packet", 4, 6}, {"the checksum of a UDP packet", 6, 8}}
		if l.Checksum == ChecksumNone {
			return parts[:1]
		}
		return parts
	case TCP:
		return []part{{"the length of a TCP header", 12, 13}, {"the checksum of a TCP segment", 16, 18}}
	case ICMP, ICMPv6:
		return []part{{"the checksum of an ICMP message", 2, 4}}
	}
	return nil
}

// derived returns what of a packet that is computed lies in some bytes, "" if nothing does.
func (s *stack) derived(start, end int) string {
	for i, l := range s.layers {
		for _, p := range derivedParts(l) {
			if start < s.at[i]+p.end && end > s.at[i]+p.start {
				return p.name
			}
		}
	}
	return ""
}
