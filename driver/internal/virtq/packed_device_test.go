package virtq

import (
	"bytes"
	"fmt"
)

// packedDevice is the device side of a packed virtqueue.
type packedDevice struct {
	rules
	desc, driver, device []byte
	availAt              int // next slot to take
	availWrap            bool
	usedAt               int // next slot to write
	usedWrap             bool
	owned                []bool     // slots that the device has
	taken                [][16]byte // what they held when it took them
	ids                  map[uint16]bool
	held                 []write // used entries not flushed yet
}

// write is a used entry that is not flushed yet.
type write struct {
	at   int
	word uint64
}

func newPackedDevice(r rules, desc, driver, device uint64) (*packedDevice, error) {
	d := &packedDevice{rules: r, availWrap: true, usedWrap: true, owned: make([]bool, r.size),
		taken: make([][16]byte, r.size), ids: map[uint16]bool{}}
	var err error
	if desc%16 != 0 || driver%4 != 0 || device%4 != 0 {
		return nil, fmt.Errorf("areas at %#x, %#x, %#x: aligned to 16, 4 and 4 is the rule", desc,
			driver, device)
	}
	if d.desc, err = r.mem.at(desc, 16*r.size); err != nil {
		return nil, err
	}
	if d.driver, err = r.mem.at(driver, 4); err != nil {
		return nil, err
	}
	d.device, err = r.mem.at(device, 4)
	return d, err
}

// available reports whether the flags of a descriptor make it available in the
// lap of the wrap counter.
func available(flags uint16, wrap bool) bool {
	return flags&fAvail != 0 == wrap && flags&fUsed != 0 != wrap
}

func (d *packedDevice) flagsAt(at int) (word uint64, flags uint16) {
	word = get64(d.desc[16*at+8:])
	return word, uint16(word >> 48)
}

func (d *packedDevice) pop() (list, bool) {
	if len(d.ids) >= d.size {
		return list{}, false
	}
	var l list
	at, wrap := d.availAt, d.availWrap
	for {
		word, flags := d.flagsAt(at)
		if !available(flags, wrap) {
			if l.slots > 0 {
				d.fail("sg/6: slot %d of a list is not available though its head is", at)
			}
			return list{}, false
		}
		if d.owned[at] {
			d.fail("desc/1: slot %d was made available while the device has it", at)
		}
		if flags&^(fNext|fWrite|fIndirect|fAvail|fUsed) != 0 {
			d.fail("slot %d has flags %#x", at, flags)
		}
		l.slots++
		l.id = uint16(word >> 32)
		s := segment{le.Uint64(d.desc[16*at:]), uint32(word), flags&fWrite != 0}
		if flags&fIndirect != 0 {
			if l.slots > 1 || flags&fNext != 0 {
				d.fail("indirect/4: INDIRECT in a list, slot %d", at)
			}
			d.indirectTable(&l, s)
		} else {
			l.segs = append(l.segs, s)
		}
		if at++; at == d.size {
			at, wrap = 0, !wrap
		}
		if flags&fNext == 0 {
			break
		}
		if l.slots == d.size {
			d.fail("sg/2: a list longer than the ring")
			break
		}
	}
	d.take(l, at, wrap)
	return l, true
}

func (d *packedDevice) take(l list, at int, wrap bool) {
	for i := range l.slots {
		at := (d.availAt + i) % d.size
		d.owned[at] = true
		copy(d.taken[at][:], d.desc[16*at:])
	}
	d.availAt, d.availWrap = at, wrap
	if int(l.id) >= d.size || d.ids[l.id] {
		d.fail("buffer ID %d is out of range or in use", l.id)
	}
	d.ids[l.id] = true
	d.checkList(l)
}

func (d *packedDevice) indirectTable(l *list, s segment) {
	if !d.indirect || s.len == 0 || s.len%16 != 0 {
		d.fail("indirect/1: table of %d bytes", s.len)
		return
	}
	table, err := d.mem.at(s.address, int(s.len))
	if err != nil {
		d.fail("indirect: %v", err)
		return
	}
	l.indirect = true
	for ; len(table) > 0; table = table[16:] {
		flags := le.Uint16(table[14:])
		if flags&^fWrite != 0 {
			d.fail("indirect/2: flags %#x in a table", flags)
		}
		l.segs = append(l.segs, segment{le.Uint64(table), le.Uint32(table[8:]), flags&fWrite != 0})
	}
}

func (d *packedDevice) usedFlags() uint64 {
	if d.usedWrap {
		return fAvail | fUsed
	}
	return 0
}

func (d *packedDevice) push(id uint16, written uint32, slots int) {
	flags := d.usedFlags()
	if written > 0 {
		flags |= fWrite
	}
	d.held = append(d.held, write{d.usedAt, uint64(written) | uint64(id)<<32 | flags<<48})
	delete(d.ids, id)
	d.passUsed(slots)
}

func (d *packedDevice) passUsed(slots int) {
	for range slots {
		d.owned[d.usedAt] = false
		if !bytes.Equal(d.desc[16*d.usedAt:][:16], d.taken[d.usedAt][:]) {
			d.fail("desc/2: slot %d was changed while the device had it", d.usedAt)
		}
		if d.usedAt++; d.usedAt == d.size {
			d.usedAt, d.usedWrap = 0, !d.usedWrap
		}
	}
}

func (d *packedDevice) pushBatch(last list, written uint32, slots, lists int) {
	d.push(last.id, written, slots)
	clear(d.ids)
}

// flush writes the used entries: the first last, so that the driver sees all or
// none of them, as a device does for the buffers of one packet.
func (d *packedDevice) flush() {
	for i := len(d.held) - 1; i >= 0; i-- {
		put64(d.desc[16*d.held[i].at+8:], d.held[i].word)
	}
	if d.interruptDue(get32(d.driver)) {
		d.interrupt++
	}
	d.held = d.held[:0]
}

// interruptDue reports whether the driver's event suppression asks for an interrupt for what
// was flushed: always, never, or for the descriptor at an offset and wrap counter.
func (d *packedDevice) interruptDue(event uint32) bool {
	switch flags := event >> 16; {
	case flags == 1 || len(d.held) == 0:
		return false
	case flags == 0:
		return true
	case flags != 2 || !d.eventIdx:
		d.fail("event: the driver's flags are %d", flags)
		return false
	}
	for _, w := range d.held {
		wrap := w.word>>48&fUsed != 0
		if w.at == int(event&0x7fff) && wrap == (event>>15&1 != 0) {
			return true
		}
	}
	return false
}

func (d *packedDevice) want(on bool) {
	flags := uint32(0)
	if !on {
		flags = 1
	}
	put32(d.device, flags<<16)
}

func (d *packedDevice) wantAt(n int) {
	at, wrap := d.availAt+n, d.availWrap
	if at >= d.size {
		at, wrap = at-d.size, !wrap
	}
	word := uint32(at) | 2<<16
	if wrap {
		word |= 1 << 15
	}
	put32(d.device, word)
}
