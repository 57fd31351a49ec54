package virtq

import (
	"bytes"
	"fmt"
)

// splitDevice is the device side of a split virtqueue.
type splitDevice struct {
	rules
	desc, avail, used []byte
	lastAvail         uint16     // next avail entry to take
	usedIdx           uint16     // next used entry to write
	flushed           uint16     // used idx that the driver was shown
	owned             []bool     // descriptors that the device has
	taken             [][16]byte // what they held when it took them
	noNotify          bool
}

func newSplitDevice(r rules, desc, driver, device uint64) (*splitDevice, error) {
	d := &splitDevice{rules: r, owned: make([]bool, r.size), taken: make([][16]byte, r.size)}
	var err error
	if desc%16 != 0 || driver%2 != 0 || device%4 != 0 {
		return nil, fmt.Errorf("areas at %#x, %#x, %#x: aligned to 16, 2 and 4 is the rule", desc,
			driver, device)
	}
	if d.desc, err = r.mem.at(desc, 16*r.size); err != nil {
		return nil, err
	}
	if d.avail, err = r.mem.at(driver, 8+2*r.size); err != nil {
		return nil, err
	}
	d.used, err = r.mem.at(device, 8+8*r.size)
	return d, err
}

func (d *splitDevice) availFlags() uint16 { return uint16(get32(d.avail)) }
func (d *splitDevice) availIdx() uint16   { return uint16(get32(d.avail) >> 16) }

// usedEvent reads the 16 bits behind the avail ring as part of their word.
func (d *splitDevice) usedEvent() uint16 {
	at := 4 + 2*d.size
	return uint16(get32(d.avail[at&^3:]) >> (8 * (at & 3)))
}

func (d *splitDevice) pop() (list, bool) {
	idx := d.availIdx()
	if uint16(idx-d.lastAvail) > uint16(d.size) {
		d.fail("avail/1: avail idx %d is more than the ring ahead of %d", idx, d.lastAvail)
		return list{}, false
	}
	if flags := d.availFlags(); flags > 1 || d.eventIdx && flags != 0 {
		d.fail("used-suppress: avail flags are %d", flags)
	}
	if idx == d.lastAvail {
		return list{}, false
	}
	head := le.Uint16(d.avail[4+2*(int(d.lastAvail)%d.size):])
	d.lastAvail++
	if int(head) >= d.size {
		d.fail("avail ring names descriptor %d of %d", head, d.size)
		return list{}, false
	}
	l := list{id: head}
	for at := head; ; {
		if d.owned[at] {
			d.fail("descriptor %d was made available while the device has it", at)
		}
		d.owned[at] = true
		l.slots++
		b := d.desc[16*int(at):]
		copy(d.taken[at][:], b)
		flags, next := le.Uint16(b[12:]), le.Uint16(b[14:])
		if flags&^(fNext|fWrite|fIndirect) != 0 {
			d.fail("descriptor %d has flags %#x", at, flags)
		}
		if flags&fIndirect != 0 {
			d.indirectTable(&l, b, flags)
		} else {
			l.segs = append(l.segs, segment{le.Uint64(b), le.Uint32(b[8:]), flags&fWrite != 0})
		}
		if flags&fNext == 0 {
			break
		}
		if d.inOrder && int(next) != (int(at)+1)%d.size {
			d.fail("desc/2: descriptor %d links to %d with IN_ORDER", at, next)
		}
		if int(next) >= d.size || l.slots > d.size {
			d.fail("descriptor %d links to %d", at, next)
			break
		}
		at = next
	}
	d.checkList(l)
	return l, true
}

func (d *splitDevice) indirectTable(l *list, b []byte, flags uint16) {
	n := le.Uint32(b[8:])
	if !d.indirect || flags&fNext != 0 || n == 0 || n%16 != 0 || l.slots > 1 {
		d.fail("indirect: descriptor %d has flags %#x, length %d", l.id, flags, n)
		return
	}
	table, err := d.mem.at(le.Uint64(b), int(n))
	if err != nil {
		d.fail("indirect: %v", err)
		return
	}
	l.indirect = true
	for i := 0; ; {
		e := table[16*i:]
		flags, next := le.Uint16(e[12:]), int(le.Uint16(e[14:]))
		if flags&fIndirect != 0 {
			d.fail("indirect: a table in a table")
		}
		l.segs = append(l.segs, segment{le.Uint64(e), le.Uint32(e[8:]), flags&fWrite != 0})
		if flags&fNext == 0 {
			break
		}
		if next*16 >= int(n) || len(l.segs) > d.size || d.inOrder && next != i+1 {
			d.fail("indirect: entry %d of %d links to %d", i, n/16, next)
			break
		}
		i = next
	}
}

func (d *splitDevice) push(id uint16, written uint32, slots int) {
	e := d.used[4+8*(int(d.usedIdx)%d.size):]
	le.PutUint32(e, uint32(id))
	le.PutUint32(e[4:], written)
	d.release(id)
	d.usedIdx++
}

// release gives the descriptors of a chain back.
func (d *splitDevice) release(head uint16) {
	for at, n := head, 0; int(at) < d.size && n < d.size; n++ {
		d.owned[at] = false
		b := d.desc[16*int(at):]
		if !bytes.Equal(b[:16], d.taken[at][:]) {
			d.fail("cleanup/1: descriptor %d was changed while the device had it", at)
		}
		if le.Uint16(b[12:])&fNext == 0 {
			return
		}
		at = le.Uint16(b[14:])
	}
}

func (d *splitDevice) pushBatch(last list, written uint32, slots, lists int) {
	e := d.used[4+8*(int(d.usedIdx)%d.size):]
	le.PutUint32(e, uint32(last.id))
	le.PutUint32(e[4:], written)
	for i := 1; i < lists; i++ { // what is skipped holds anything
		e := d.used[4+8*((int(d.usedIdx)+i)%d.size):]
		le.PutUint64(e, 0xdeadbeefdeadbeef)
	}
	d.usedIdx += uint16(lists)
	clear(d.owned)
}

func (d *splitDevice) flush() {
	old := d.flushed
	d.flushed = d.usedIdx
	d.putUsedWord()
	if d.eventIdx {
		event := d.usedEvent()
		if uint16(d.usedIdx-event-1) < uint16(d.usedIdx-old) {
			d.interrupt++
		}
	} else if d.availFlags() == 0 && old != d.usedIdx {
		d.interrupt++
	}
}

func (d *splitDevice) putUsedWord() {
	word := uint32(d.usedIdx) << 16
	if d.noNotify {
		word |= 1
	}
	put32(d.used, word)
}

func (d *splitDevice) want(on bool) {
	if d.eventIdx {
		event := d.availIdx() // the very next one
		if !on {
			event -= 1 << 15
		}
		put32(d.used[4+8*d.size:], uint32(event))
		return
	}
	d.noNotify = !on
	d.putUsedWord()
}

func (d *splitDevice) wantAt(n int) {
	put32(d.used[4+8*d.size:], uint32(d.availIdx()+uint16(n)))
}
