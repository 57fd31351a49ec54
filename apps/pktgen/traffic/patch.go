package traffic

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"
)

const (
	// maxFields bounds how many fields of a stream change. An IPv6 address from a list
	// counts as two.
	maxFields = 16
	// maxWalkers is one more, for the sizes.
	maxWalkers = maxFields + 1
)

// patch is a word of a packet of which some bits change: where they are, the template has
// zeros.
type patch struct {
	at, width int // 1, 2, 4 or 8 bytes
	walker    int

	// The value for number i is first + i*step, or list[i]: the bits in mask of it,
	// moved up by shift.
	first, step uint64
	list        []uint64
	mask        uint64
	shift       int
}

// values stores what is to be stored in packets, for the numbers of its walker.
func (p *patch) values(to, numbers []uint64) {
	numbers = numbers[:len(to)]
	first, step, mask, shift := p.first, p.step, p.mask, p.shift&63
	if p.list != nil {
		for i := range to {
			to[i] = p.list[numbers[i]] & mask << shift
		}
		return
	}
	for i := range to {
		to[i] = (first + numbers[i]*step) & mask << shift
	}
}

// bitsOf returns the bits of the word that change.
func (p *patch) bitsOf() uint64 { return p.mask << p.shift }

// clear makes the bits that change zero in a template.
func (p *patch) clear(packet []byte) {
	for i := range p.width {
		packet[p.at+i] &^= byte(p.bitsOf() >> (8 * (p.width - 1 - i)))
	}
}

// span returns the bytes of the packet in which bits change.
func (p *patch) span() (start, end int) {
	word := p.bitsOf() << (64 - 8*p.width)
	return p.at + bits.LeadingZeros64(word)/8, p.at + p.width - bits.TrailingZeros64(p.bitsOf())/8
}

// target is a field of a stream that is found in its packets.
type target struct {
	place
	at      int    // in the packet
	current []byte // what the header has
}

// locate finds a field by its name.
func (s *stack) locate(name string, header []byte, frame int) (target, error) {
	if rest, ok := strings.CutPrefix(name, "bytes["); ok {
		return locateBytes(rest, header, frame)
	}
	bad := func(reason, remedy string) (target, error) {
		return target{}, &Error{Value: name, Reason: reason, Remedy: remedy}
	}
	kind, field, ok := strings.Cut(name, ".")
	if !ok {
		return bad("not a field of a header", "write it like udp.src, ipv4[1].dst or bytes[38:2]")
	}
	n := 0
	if k, index, indexed := strings.Cut(kind, "["); indexed {
		var err error
		index, closed := strings.CutSuffix(index, "]")
		if n, err = strconv.Atoi(index); err != nil || !closed || n < 0 {
			return bad("not the number of a header", "write it like ipv4[1].dst, which is the second IPv4 header")
		}
		kind = k
	}
	i := s.find(kind, n)
	if i < 0 {
		return bad("the packet has no such header", "name one of its headers: "+s.names())
	}
	p, ok := fieldPlaces[kind][field]
	if !ok {
		return bad("the header has no such field that can change", "it has "+fieldNames(kind))
	}
	at := s.at[i] + p.at
	return target{place: p, at: at, current: header[at : at+p.width]}, nil
}

// locateBytes finds bytes by their place, as in bytes[38:2].
func locateBytes(text string, header []byte, frame int) (target, error) {
	bad := func(reason, remedy string) (target, error) {
		return target{}, &Error{Value: "bytes[" + text, Reason: reason, Remedy: remedy}
	}
	inner, closed := strings.CutSuffix(text, "]")
	first, second, ok := strings.Cut(inner, ":")
	at, err1 := strconv.Atoi(first)
	width, err2 := strconv.Atoi(second)
	if !closed || !ok || err1 != nil || err2 != nil || at < 0 {
		return bad("not a place in a packet", "write it like bytes[38:2], which are 2 bytes from byte 38")
	}
	switch width {
	case 1, 2, 3, 4, 6, 8:
	default:
		return bad("not a width that can change", "use 1, 2, 3, 4, 6 or 8 bytes")
	}
	if at+width > frame || at+width > len(header) {
		return bad(fmt.Sprintf("behind the %d bytes that can change", min(frame, len(header))),
			"use bytes of the headers, or of the payload up to the signature of the shortest packet")
	}
	return target{place: place{at: at, width: width}, at: at, current: header[at : at+width]}, nil
}

// names returns the names of the headers of a packet.
func (s *stack) names() string {
	seen, list := map[string]int{}, []string{}
	for _, l := range s.layers {
		name := l.Kind()
		if n := seen[name]; n > 0 {
			list = append(list, fmt.Sprintf("%s[%d]", name, n))
		} else {
			list = append(list, name)
		}
		seen[name]++
	}
	return strings.Join(list, ", ")
}

// value reads a value of a field: the lower 64 bits and, of an IPv6 address, the upper.
func (t target) value(text string) (low, high uint64, err error) {
	switch t.kind {
	case mac:
		var m MAC
		if m.UnmarshalText([]byte(text)) == nil {
			var b [8]byte
			copy(b[2:], m[:])
			return binary.BigEndian.Uint64(b[:]), 0, nil
		}
	case ipv4:
		if a, err := netip.ParseAddr(text); err == nil && a.Is4() {
			b := a.As4()
			return uint64(binary.BigEndian.Uint32(b[:])), 0, nil
		}
	case ipv6:
		if a, err := netip.ParseAddr(text); err == nil && a.Is6() {
			b := a.As16()
			return binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[:8]), nil
		}
	}
	low, err = strconv.ParseUint(text, 0, 64)
	if err != nil {
		return 0, 0, &Error{Value: text, Reason: "not a value of this field", Remedy: "write " + valueText[t.kind]}
	}
	if low > t.greatest() {
		return 0, 0, &Error{Value: text, Reason: fmt.Sprintf("greater than %d, the greatest value of the field", t.greatest()),
			Remedy: "use a smaller one"}
	}
	return low, 0, nil
}

var valueText = [...]string{
	number: "a number, like 1024 or 0x400", mac: "an address, like 02:00:00:00:00:01, or a number",
	ipv4: "an address, like 198.18.0.1, or a number", ipv6: "an address, like 2001:2::1, or a number for its lower half",
}

// greatest returns the greatest value of a field, of an IPv6 address that of its lower half.
func (t target) greatest() uint64 {
	if t.bits != 0 {
		return 1<<t.bits - 1
	}
	return 1<<(8*min(t.width, 8)) - 1
}

// now returns the value that the header has.
func (t target) now() (low, high uint64) {
	for _, c := range t.current {
		high = high<<8 | low>>56
		low = low<<8 | uint64(c)
	}
	return low >> t.shift & t.greatest(), high
}

// patch returns the word of a target, of an IPv6 address that of its lower half, or of
// its upper one.
func (t target) patch(upper bool) patch {
	p := patch{at: t.at, width: t.width, mask: t.greatest(), shift: t.shift}
	switch {
	case t.width == 16:
		p.width = 8
		if !upper {
			p.at += 8
		}
	case t.width == 3 && t.at > 0:
		p.at, p.width = t.at-1, 4
	case t.width == 3:
		p.width, p.shift = 4, 8
	case t.width == 6 && t.at >= 2:
		p.at, p.width = t.at-2, 8
	case t.width == 6:
		p.width, p.shift = 8, 16
	}
	return p
}
