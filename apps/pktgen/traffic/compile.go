package traffic

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Compile returns the Program of a stream. An error is an [*Error].
func (s *Stream) Compile(o Options) (*Program, error) {
	c := compiler{stream: s, options: o, program: &Program{id: o.ID, name: s.Name, latency: s.Latency}}
	for _, step := range []func() error{c.headers, c.sizes, c.templates} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return c.program, nil
}

// compiler makes a Program of a stream.
type compiler struct {
	stream  *Stream
	options Options
	program *Program
	stack   *stack
	lens    []int // the sizes, each once, ascending
	payload []byte
	sums    []sum // of the packet, also those that do not change
}

// headers lays the headers out and finds the fields that change.
func (c *compiler) headers() error {
	var err error
	if c.stack, err = newStack(c.stream.Packet); err != nil {
		return err
	}
	c.sums = c.stack.sums()
	c.program.start = c.stack.end
	return nil
}

// sizes checks the sizes and chooses how they follow one another.
func (c *compiler) sizes() error {
	s, p := c.stream.Size, c.program
	bad := func(reason, remedy string) error {
		return &Error{Field: "size", Value: s.String(), Reason: reason, Remedy: remedy}
	}
	if len(s.Lens) == 0 {
		return bad("no size", sizeRemedy)
	}
	c.lens = slices.Clone(s.Lens)
	slices.Sort(c.lens)
	c.lens = slices.Compact(c.lens)
	shortest, longest := c.lens[0], c.lens[len(c.lens)-1]
	most := maxFrame
	if c.options.MaxLen > 0 {
		most = min(most, c.options.MaxLen)
	}
	need := max(MinFrame, c.stack.end)
	switch {
	case shortest < MinFrame:
		return bad(fmt.Sprintf("%d bytes are less than the %d of the shortest frame without FCS", shortest, MinFrame), "use 60, which is 64 with FCS")
	case shortest < need:
		return bad(fmt.Sprintf("%d bytes have no room for %d bytes of headers", shortest, c.stack.end), fmt.Sprintf("use at least %d", need))
	case longest > most:
		return bad(fmt.Sprintf("%d bytes are more than the %d of the longest frame that the port sends", longest, most),
			"use a smaller size, or a port with a greater MTU")
	}
	if err := c.signature(shortest); err != nil {
		return err
	}
	if len(s.Lens) > 1 {
		order := make([]uint16, len(s.Lens))
		for i, n := range s.Lens {
			k, _ := slices.BinarySearch(c.lens, n)
			order[i] = uint16(k)
		}
		p.order = order
		p.walkers = append(p.walkers, c.walker(uint64(len(order)), s.Random, s.Seed))
	}
	total := 0
	for _, n := range s.Lens {
		total += n
	}
	p.mean = float64(total) / float64(len(s.Lens))
	return nil
}

// walker returns a walker through n numbers, in turn or by chance.
func (c *compiler) walker(n uint64, random bool, seed uint64) walker {
	if !random {
		return walker{n: n}
	}
	// The queues of a stream are far apart in the sequence of the generator.
	return walker{kind: walkRandom, n: n, state: seed*0x2545f4914f6cdd1d + uint64(c.options.Queue)*0xd1342543de82ef95}
}

// signature decides whether the packets have one.
func (c *compiler) signature(shortest int) error {
	last := c.stack.layers[len(c.stack.layers)-1]
	_, arp := last.(ARP)
	need := c.stack.end + SignatureLen
	room := !arp && shortest >= need
	wanted := c.stream.Track == TrackOn || c.stream.Latency
	field := "track"
	if c.stream.Latency {
		field = "latency"
	}
	switch {
	case c.stream.Latency && c.stream.Track == TrackOff:
		return &Error{Field: "latency", Value: "true", Reason: "the signature that it takes is switched off by track: false",
			Remedy: "leave track out"}
	case wanted && arp:
		return &Error{Field: field, Value: "true", Reason: "an ARP packet has no payload, and so no room for a signature",
			Remedy: "use another packet, or leave " + field + " out"}
	case wanted && !room:
		return &Error{Field: field, Value: "true",
			Reason: fmt.Sprintf("%d bytes have no room for %d bytes of headers and %d of signature", shortest, c.stack.end, SignatureLen),
			Remedy: fmt.Sprintf("use sizes of at least %d", need)}
	}
	c.program.signed = room && c.stream.Track != TrackOff
	return nil
}

// templates builds the packet in each of its sizes and finds the fields that change.
func (c *compiler) templates() error {
	p := c.program
	if err := c.checkPayload(); err != nil {
		return err
	}
	longest := c.lens[len(c.lens)-1]
	p.body = make([]byte, longest)
	copy(p.body[c.stack.end:], c.payload)
	first, err := c.build(c.lens[0])
	if err != nil {
		return err
	}
	if err := c.fields(first); err != nil {
		return err
	}
	c.chooseSums()
	for i := range p.patches {
		p.patches[i].clear(p.body)
	}
	p.waste = make([]byte, longest)
	p.variants = make([]variant, len(c.lens))
	for i, n := range c.lens {
		packet, err := c.build(n)
		if err != nil {
			return err
		}
		p.variants[i] = c.variant(packet)
	}
	p.makeTable()
	return nil
}

// checkPayload makes the payload of the longest packet.
func (c *compiler) checkPayload() error {
	p := c.stream.Payload
	longest := c.lens[len(c.lens)-1]
	room := c.lens[0] - c.stack.end
	if c.program.signed {
		room -= SignatureLen
	}
	bad := func(reason, remedy string) error {
		return &Error{Field: "payload", Value: p.String(), Reason: reason, Remedy: remedy}
	}
	_, arp := c.stack.layers[len(c.stack.layers)-1].(ARP)
	switch {
	case arp && p.Kind != PayloadZeros && p.Kind != PayloadCounter:
		return bad("an ARP packet has none; zeros fill its frame", "leave it out")
	case p.Kind == PayloadBytes && len(p.Bytes) > room:
		return bad(fmt.Sprintf("%d bytes, and the shortest packet has room for %d", len(p.Bytes), room),
			fmt.Sprintf("use sizes of at least %d", c.lens[0]+len(p.Bytes)-room))
	case p.Kind == PayloadKeep && c.covered():
		return bad("a checksum covers it, and it is not known", "set checksum: none in the udp header, or use zeros")
	}
	if arp {
		p.Kind = PayloadZeros
	}
	c.program.keep = p.Kind == PayloadKeep
	c.payload = p.bytes(longest - c.stack.end)
	return nil
}

// covered reports whether a checksum covers the payload.
func (c *compiler) covered() bool {
	return slices.ContainsFunc(c.sums, func(s sum) bool { return s.spans[0].end == 0 })
}

// build returns the packet of n bytes. Where its signature will be, there are zeros.
func (c *compiler) build(n int) ([]byte, error) {
	payload := slices.Clone(c.payload[:n-c.stack.end])
	if c.program.signed {
		clear(payload[len(payload)-SignatureLen:])
	}
	return c.stack.build(payload)
}

// variant makes a template of a packet.
func (c *compiler) variant(packet []byte) variant {
	p := c.program
	for i := range p.patches {
		p.patches[i].clear(packet)
	}
	for _, s := range c.sums {
		clear(packet[s.at : s.at+2])
	}
	if p.signed {
		PutSignature(packet, Signature{Stream: p.id})
	}
	v := variant{length: len(packet)}
	for i := range c.sums {
		s := &c.sums[i]
		t := sumTemplate{base: s.base(packet)}
		if p.signed {
			t.signature = s.factor(len(packet)-SignatureLen, len(packet), len(packet))
		}
		if c.changes(s) {
			v.sums = append(v.sums, t)
		} else {
			binary.BigEndian.PutUint16(packet[s.at:], s.store(t.base))
		}
	}
	v.first = [firstLen]byte(packet)
	v.last = [SignatureLen]byte(packet[len(packet)-SignatureLen:])
	if end := len(packet) - SignatureLen; end > firstLen {
		headers := min(max(c.stack.end, firstLen), end)
		v.head = slices.Clone(packet[firstLen:headers])
		if !p.keep {
			v.body = p.body[headers:end]
		}
	}
	return v
}

// changes reports whether a checksum changes from packet to packet.
func (c *compiler) changes(s *sum) bool {
	return len(s.fields) > 0 || len(s.inner) > 0 || c.program.signed && s.spans[0].end == 0
}

// chooseSums keeps the checksums that change. Those that do not are in the templates.
func (c *compiler) chooseSums() {
	p := c.program
	index := map[int]int{}
	for i := range c.sums {
		s := &c.sums[i]
		var inner []term
		for _, t := range s.inner {
			if k, ok := index[t.index]; ok {
				inner = append(inner, term{k, t.factor})
			}
		}
		if s.inner = inner; c.changes(s) {
			index[i] = len(p.sums)
			p.sums = append(p.sums, *s)
		}
	}
}

// fields compiles the fields that change. packet is the shortest one.
func (c *compiler) fields(packet []byte) error {
	if n := len(c.stream.Fields); n > maxFields {
		return &Error{Field: "fields", Value: strconv.Itoa(n), Reason: fmt.Sprintf("a stream has at most %d that change", maxFields),
			Remedy: "make several streams"}
	}
	f := fieldCompiler{compiler: c, packet: packet, walkers: map[string]int{}}
	for i := range c.stream.Fields {
		if err := f.add(&c.stream.Fields[i]); err != nil {
			var e *Error
			if errors.As(err, &e) {
				e.Field = strings.TrimSuffix(fmt.Sprintf("fields[%d].%s", i, e.Field), ".")
			}
			return err
		}
	}
	if len(c.program.patches) > maxFields {
		return &Error{Field: "fields", Value: strconv.Itoa(len(c.program.patches)),
			Reason: fmt.Sprintf("more than %d words change", maxFields), Remedy: "make several streams"}
	}
	return nil
}
