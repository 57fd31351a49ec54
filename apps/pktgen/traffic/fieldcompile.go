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
	least, _ := t.now()
	if f.Op == Random {
		least = 0
	}
	var err error
	if f.Min != "" {
		if least, err = t.bound("min", f.Min); err != nil {
			return p, 0, err
		}
	}
	greatest, err := f.end(t, least)
	if err != nil {
		return p, 0, err
	}
	step := max(f.Step, 1)
	n := (greatest-least)/step + 1 // 0: all 1<<64
	p.first, p.step = least, step
	if f.Op == Decrement {
		p.first, p.step = greatest, -step
	}
	return p, n, nil
}

// bound reads the least or the greatest value of a field.
func (t target) bound(name, text string) (uint64, error) {
	low, high, err := t.value(text)
	if err != nil {
		return 0, inField(err, name)
	}
	if _, upper := t.now(); high != upper && t.isAddress(text) {
		return 0, &Error{Field: name, Value: text,
			Reason: "its upper 64 bits are not those of the header, and only the lower ones change",
			Remedy: "change the address of the header, or use a list"}
	}
	return low, nil
}

// end returns the greatest value of a field that begins at the least one.
func (f *Field) end(t target, least uint64) (uint64, error) {
	greatest, step := t.greatest(), max(f.Step, 1)
	switch {
	case f.Max != "":
		var err error
		if greatest, err = t.bound("max", f.Max); err != nil {
			return 0, err
		}
	case f.Count != 0:
		if f.Count-1 > (greatest-least)/step {
			return 0, &Error{Field: "count", Value: strconv.FormatUint(f.Count, 10),
				Reason: fmt.Sprintf("from %d on, the field has %d values", least, (greatest-least)/step+1), Remedy: "use fewer, or a smaller step"}
		}
		greatest = least + (f.Count-1)*step
	case f.Op != Random:
		return 0, &Error{Field: "max", Reason: "no end of the values", Remedy: "give max or count"}
	}
	if greatest < least {
		return 0, &Error{Field: "max", Value: strconv.FormatUint(greatest, 10), Reason: fmt.Sprintf("less than min, %d", least),
			Remedy: "exchange them; decrement goes down from max"}
	}
	return greatest, nil
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
