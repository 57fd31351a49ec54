package vpci

import (
	"fmt"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// structure is a register structure that was checked against its BAR: any
// aligned access below size is inside both.
type structure struct {
	capability
	region pci.Region
	size   uint64 // bytes
}

// covers reports whether width bytes at off belong to the structure. Fields at
// the end of a structure exist only in devices of newer versions.
func (s *structure) covers(off uint64, width int) bool {
	return off <= s.size && uint64(width) <= s.size-off
}

// base and end return the first byte of the structure in its BAR and the byte after
// its last.
func (s *structure) base() uint64 { return uint64(s.offset) }
func (s *structure) end() uint64  { return uint64(s.offset) + s.size }

// checkStructure returns the structure that c describes, or why it cannot be used.
// Sums have 64 bits, so that those of the device's 32-bit numbers do not wrap.
func checkStructure(fn pci.Function, c capability) (*structure, error) {
	needed, align := c.kind.needed()
	region, err := fn.Region(c.bar)
	if err != nil {
		refused := c.refused(fn, 0)
		refused.Reason, refused.Err = "its BAR cannot be used", err
		return nil, refused
	}
	refused := c.refused(fn, region.Size())
	switch {
	case uint64(c.length) < needed:
		refused.Reason = "it is too short"
	case uint64(c.offset)%align != 0:
		refused.Reason = fmt.Sprintf("its offset is not a multiple of %d", align)
	case uint64(c.offset)+needed > region.Size():
		refused.Reason = "it lies outside its BAR"
	case c.kind == notifyKind && c.multiplier%2 != 0:
		refused.Reason = fmt.Sprintf("notify_off_multiplier is %d, which is odd", c.multiplier)
	default:
		return &structure{capability: c, region: region, size: uint64(c.length)}, nil
	}
	return nil, refused
}

// refused is the error, still without a reason, of a structure in a BAR of size
// bytes, 0 if that is not known.
func (c capability) refused(fn pci.Function, size uint64) *Error {
	needed, _ := c.kind.needed()
	return &Error{Device: fn.Address(), Field: c.kind.String() + " structure",
		Value: fmt.Sprintf("capability at %#02x: BAR %d, offset %#x, length %#x; needed %#x, BAR size %#x",
			c.at, c.bar, c.offset, c.length, needed, size),
		Remedy: brokenDevice}
}

// structures are those of one device. isr and device are nil if it does not have
// them.
type structures struct {
	common, notify, isr, device *structure
}

// all returns the structures that the device has.
func (s *structures) all() []*structure {
	var list []*structure
	for _, one := range []*structure{s.common, s.notify, s.isr, s.device} {
		if one != nil {
			list = append(list, one)
		}
	}
	return list
}

// selectStructures returns the first usable structure of each type, those in memory
// first, because each write to a port of an I/O BAR is a system call. If a type has
// capabilities but none that is usable, the device is refused.
func selectStructures(fn pci.Function, found []capability) (structures, error) {
	ports, err := portBARs(fn)
	if err != nil {
		return structures{}, err
	}
	pick := func(k kind, required bool) (*structure, error) {
		var refused error
		for _, inPorts := range []bool{false, true} {
			for _, c := range found {
				if c.kind != k || ports[c.bar] != inPorts {
					continue
				}
				s, err := checkStructure(fn, c)
				if err == nil {
					return s, nil
				}
				if refused == nil {
					refused = err
				}
			}
		}
		if refused == nil && required {
			refused = &Error{Device: fn.Address(), Field: k.String() + " structure",
				Reason: "no capability describes it", Remedy: brokenDevice}
		}
		return nil, refused
	}
	var s structures
	for _, want := range []struct {
		kind     kind
		required bool
		to       **structure
	}{
		{commonKind, true, &s.common}, {notifyKind, true, &s.notify},
		{isrKind, false, &s.isr}, {deviceKind, false, &s.device},
	} {
		if *want.to, err = pick(want.kind, want.required); err != nil {
			return structures{}, err
		}
	}
	return s, nil
}

// portBARs reports which BARs are in I/O space, by bit 0 of each register.
func portBARs(fn pci.Function) (ports [6]bool, err error) {
	for i := range ports {
		v, err := fn.ReadConfig(pci.RegBAR0+4*i, 4)
		if err != nil {
			return ports, fmt.Errorf("%s: reading BAR %d: %w", fn.Address(), i, err)
		}
		ports[i] = v&1 != 0
	}
	return ports, nil
}
