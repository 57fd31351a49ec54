package traffic

import (
	"errors"
	"fmt"
	"math"
	"strconv"
)

// fieldCompiler makes patches of fields.
type fieldCompiler struct {
	*compiler
	packet  []byte
	walkers map[string]int // of the fields so far
}

// add compiles one field.
func (c *fieldCompiler) add(f *Field) error {
	room := len(c.packet)
	if c.program.signed {
		room -= SignatureLen
	}
	t, err := c.stack.locate(f.Name, c.packet[:room], room)
	if err != nil {
		return inField(err, "field")
	}
	if _, again := c.walkers[f.Name]; again {
		return &Error{Field: "field", Value: f.Name, Reason: "it is there twice", Remedy: "leave one out"}
	}
	if f.Op > List {
		return &Error{Field: "op", Value: f.Op.String(), Reason: "unknown", Remedy: "use increment, decrement, random or list"}
	}
	if err := unused(f); err != nil {
		return err
	}
	var low, high patch
	n, upper := uint64(0), false
	if f.Op == List {
		low, high, upper, err = c.list(f, t)
		n = uint64(len(f.List))
	} else {
		low, n, err = c.span(f, t)
	}
	if err != nil {
		return err
	}
	if low.mask, err = c.mask(f, t); err != nil {
		return err
	}
	w, err := c.walk(f, n)
	if err != nil {
		return err
	}
	low.walker, high.walker = w, w
	c.walkers[f.Name] = w
	if upper {
		if err := c.addPatch(high); err != nil {
			return inField(err, "field")
		}
	}
	return inField(c.addPatch(low), "field")
}

// inField adds the name of a field's part to an error.
func inField(err error, name string) error {
	var e *Error
	if errors.As(err, &e) && e.Field == "" {
		e.Field = name
	}
	return err
}

// unused finds parts of a field that its operation has no use for.
func unused(f *Field) error {
	bad := func(name, value, op string) error {
		return &Error{Field: name, Value: value, Reason: "it means nothing for " + op, Remedy: "leave it out"}
	}
	switch {
	case f.Op == List && f.Min != "":
		return bad("min", f.Min, "list")
	case f.Op == List && f.Max != "":
		return bad("max", f.Max, "list")
	case f.Op == List && f.Count != 0:
		return bad("count", strconv.FormatUint(f.Count, 10), "list")
	case f.Op == List && f.Step > 1:
		return bad("step", strconv.FormatUint(f.Step, 10), "list")
	case f.Op != List && len(f.List) > 0:
		return bad("list", fmt.Sprint(f.List), f.Op.String())
	case f.Op != Random && f.Seed != 0:
		return bad("seed", strconv.FormatUint(f.Seed, 10), f.Op.String())
	case f.Max != "" && f.Count != 0:
		return &Error{Field: "count", Value: strconv.FormatUint(f.Count, 10), Reason: "max says where the values end",
			Remedy: "leave one of them out"}
	case f.Follows != "" && f.After != "":
		return &Error{Field: "after", Value: f.After, Reason: "follows says when it changes", Remedy: "leave one of them out"}
	case f.Op == Random && f.After != "":
		return bad("after", f.After, "random")
	case f.Op == Random && f.Follows != "":
		return bad("follows", f.Follows, "random")
	}
	return nil
}

// span compiles a field that goes from a least to a greatest value.
func (c *fieldCompiler) span(f *Field, t target) (patch, uint64, error) {
	p := t.patch(false)
	least, upper := t.now()
	if f.Op == Random {
		least = 0
	}
	var err error
	if f.Min != "" {
		var high uint64
		if least, high, err = t.value(f.Min); err != nil {
			return p, 0, inField(err, "min")
		}
		if high != upper && t.isAddress(f.Min) {
			return p, 0, &Error{Field: "min", Value: f.Min, Reason: "its upper 64 bits are not those of the header, and only the lower ones change",
				Remedy: "change the address of the header, or use a list"}
		}
	}
	step := max(f.Step, 1)
	greatest, n := t.greatest(), uint64(0)
	switch {
	case f.Max != "":
		var high uint64
		if greatest, high, err = t.value(f.Max); err != nil {
			return p, 0, inField(err, "max")
		}
		if high != upper && t.isAddress(f.Max) {
			return p, 0, &Error{Field: "max", Value: f.Max, Reason: "its upper 64 bits are not those of the header, and only the lower ones change",
				Remedy: "change the address of the header, or use a list"}
		}
	case f.Count != 0:
		n = f.Count
		if n-1 > (greatest-least)/step {
			return p, 0, &Error{Field: "count", Value: strconv.FormatUint(n, 10),
				Reason: fmt.Sprintf("from %d on, the field has %d values", least, (greatest-least)/step+1), Remedy: "use fewer, or a smaller step"}
		}
		greatest = least + (n-1)*step
	case f.Op != Random:
		return p, 0, &Error{Field: "max", Reason: "no end of the values", Remedy: "give max or count"}
	}
	if greatest < least {
		return p, 0, &Error{Field: "max", Value: strconv.FormatUint(greatest, 10), Reason: fmt.Sprintf("less than min, %d", least),
			Remedy: "exchange them; decrement goes down from max"}
	}
	n = (greatest-least)/step + 1 // 0: all 1<<64
	p.first, p.step = least, step
	if f.Op == Decrement {
		p.first, p.step = greatest, -step
	}
	return p, n, nil
}

// isAddress reports whether text is a whole IPv6 address.
func (t target) isAddress(text string) bool {
	_, err := strconv.ParseUint(text, 0, 64)
	return t.kind == ipv6 && err != nil
}

// list compiles a field that goes through a list. The upper half of IPv6 addresses is a
// patch of its own if it changes.
func (c *fieldCompiler) list(f *Field, t target) (low, high patch, upper bool, err error) {
	low, high = t.patch(false), t.patch(true)
	if len(f.List) == 0 || len(f.List) > maxSequence {
		return low, high, false, &Error{Field: "list", Value: fmt.Sprintf("%d values", len(f.List)),
			Reason: fmt.Sprintf("a list has 1 to %d", maxSequence), Remedy: "write it like list: [80, 443]"}
	}
	_, current := t.now()
	for i, text := range f.List {
		l, h, err := t.value(text)
		if err != nil {
			return low, high, false, inField(err, fmt.Sprintf("list[%d]", i))
		}
		if t.kind == ipv6 && !t.isAddress(text) {
			h = current
		}
		low.list, high.list = append(low.list, l), append(high.list, h)
		upper = upper || t.kind == ipv6 && h != current
	}
	high.mask = math.MaxUint64
	if upper && f.Mask != "" {
		return low, high, false, &Error{Field: "mask", Value: f.Mask, Reason: "the upper 64 bits of the addresses differ, which it does not reach",
			Remedy: "leave it out"}
	}
	return low, high, upper, nil
}

// mask returns the bits of a field that change.
func (c *fieldCompiler) mask(f *Field, t target) (uint64, error) {
	if f.Mask == "" {
		return t.greatest(), nil
	}
	m, err := strconv.ParseUint(f.Mask, 0, 64)
	switch {
	case err != nil:
		return 0, &Error{Field: "mask", Value: f.Mask, Reason: "not a number", Remedy: "write it like 0x00ff"}
	case m == 0 || m > t.greatest():
		return 0, &Error{Field: "mask", Value: f.Mask, Reason: fmt.Sprintf("the field has %d bits of value", bitsIn(t.greatest())),
			Remedy: fmt.Sprintf("use 1 to %#x", t.greatest())}
	}
	return m, nil
}

func bitsIn(v uint64) (n int) {
	for ; v > 0; v >>= 1 {
		n++
	}
	return n
}

// walk returns the walker of a field with n values.
func (c *fieldCompiler) walk(f *Field, n uint64) (int, error) {
	p := c.program
	w := c.walker(n, f.Op == Random, f.Seed)
	name, parent := "after", f.After
	if f.Follows != "" {
		name, parent = "follows", f.Follows
	}
	if parent != "" {
		k, ok := c.walkers[parent]
		if !ok {
			return 0, &Error{Field: name, Value: parent, Reason: "no field above has this name",
				Remedy: "name one that stands above this one"}
		}
		above := p.walkers[k]
		switch {
		case f.Follows != "" && above.n != n:
			return 0, &Error{Field: name, Value: parent, Reason: fmt.Sprintf("it has %d values, and this field has %d", above.n, n),
				Remedy: "give both as many"}
		case f.Follows != "":
			return k, nil
		case above.kind == walkRandom:
			return 0, &Error{Field: name, Value: parent, Reason: "it is random and so has no beginning", Remedy: "name one that is not"}
		}
		w.kind, w.parent = walkAfter, k
	}
	p.walkers = append(p.walkers, w)
	return len(p.walkers) - 1, nil
}

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

// derived returns what of a packet that is computed lies in some bytes, "" if nothing does.
func (s *stack) derived(start, end int) string {
	for i, l := range s.layers {
		at := s.at[i]
		var parts []struct {
			name       string
			start, end int
		}
		add := func(name string, from, to int) {
			parts = append(parts, struct {
				name       string
				start, end int
			}{name, at + from, at + to})
		}
		switch l := l.(type) {
		case IPv4:
			add("the version and the length of an IPv4 header", 0, 1)
			add("the length of an IPv4 packet", 2, 4)
			add("the checksum of an IPv4 header", 10, 12)
		case IPv6:
			add("the length of an IPv6 packet", 4, 6)
		case UDP:
			add("the length of a UDP packet", 4, 6)
			if l.Checksum != ChecksumNone {
				add("the checksum of a UDP packet", 6, 8)
			}
		case TCP:
			add("the checksum of a TCP segment", 16, 18)
			add("the length of a TCP header", 12, 13)
		case ICMP, ICMPv6:
			add("the checksum of an ICMP message", 2, 4)
		}
		for _, p := range parts {
			if start < p.end && end > p.start {
				return p.name
			}
		}
	}
	return ""
}
