package vdev

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// The second half of a packed descriptor is one word of 64 bits: le32 length,
// le16 buffer ID, le16 flags (2.8.13). Both sides read and write it as a whole,
// so the flags never become visible before the rest.
const descWord = 8

func packedWord(length uint32, id, flags uint16) uint64 {
	return uint64(length) | uint64(id)<<32 | uint64(flags)<<48
}

// availableNow reports whether a descriptor with these flags was made available in
// the lap with this wrap counter (2.8.1).
func availableNow(flags uint16, wrap bool) bool {
	return flags&virtio.DescAvail != 0 == wrap && flags&virtio.DescUsed != 0 != wrap
}

// usedNow reports whether it was used in that lap.
func usedNow(flags uint16, wrap bool) bool {
	return flags&virtio.DescAvail != 0 == wrap && flags&virtio.DescUsed != 0 == wrap
}

// advance moves a cursor by n descriptors of a packed ring of a size. The wrap
// counter turns when the last one is passed, also when a list ends exactly there.
func (c cursor) advance(n, size uint16) cursor {
	// Neither is above 32768, but their sum may not fit 16 bits.
	off := uint32(c.off) + uint32(n)
	if off >= uint32(size) {
		return cursor{uint16(off - uint32(size)), !c.wrap}
	}
	return cursor{uint16(off), c.wrap}
}

// packedCursor is a position as transports have it, with the wrap counter in bit 15.
func packedCursor(v uint16) cursor { return cursor{off: v & 0x7fff, wrap: v>>15 != 0} }

// distance returns how many descriptors of a ring of a size lie between c and a later
// position, less than twice the size.
func (c cursor) distance(to cursor, size uint16) int {
	n := int(to.off) - int(c.off)
	if c.wrap != to.wrap {
		n += int(size)
	}
	if n < 0 {
		n += 2 * int(size)
	}
	return n
}

// back moves a cursor back by n descriptors, at most size.
func (c cursor) back(n, size uint16) cursor {
	if n > c.off {
		return cursor{c.off + (size - n), !c.wrap}
	}
	return cursor{c.off - n, c.wrap}
}

// checkPackedStart checks a ring that the device has not touched yet: apart from
// descriptors that are available already it has to be zero. It reports whether it
// is.
func (q *queue) checkPackedStart() bool {
	for i := range int(q.size) {
		if flags := uint16(load64(q.mem[DescArea], virtio.DescLen*i+descWord) >> 48); flags&virtio.DescUsed != 0 {
			q.dev.fail("x/packed/zero", q.index, "descriptor %d begins with flags %#x", i, flags)
			return false
		}
	}
	return true
}

// popPacked takes the next list of descriptors (2.8.6).
func (q *queue) popPacked(c *chain) bool {
	i := int(q.at.off)
	w := load64(q.mem[DescArea], virtio.DescLen*i+descWord)
	flags := uint16(w >> 48)
	if !availableNow(flags, q.at.wrap) {
		if usedNow(flags, q.at.wrap) {
			q.dev.fail("x/packed/avail-bits", q.index, "descriptor %d has flags %#x, as if it were used in this lap", i, flags)
		}
		return false
	}
	v := descriptor{binary.LittleEndian.Uint64(q.mem[DescArea][virtio.DescLen*i:]), uint32(w), flags}
	c.id = uint16(w >> 32)
	if flags&(virtio.DescNext|virtio.DescIndirect) == 0 {
		q.at = q.at.advance(1, q.size)
		return q.add(c, v)
	}
	return q.walkPacked(c, v)
}

// walkPacked follows a list of descriptors, which lie one behind the other. The
// last one holds the buffer ID.
func (q *queue) walkPacked(c *chain, v descriptor) bool {
	d := q.dev
	at := q.at
	for {
		if v.flags&virtio.DescIndirect != 0 {
			if c.slots != 1 {
				d.fail("packed/indirect/4", q.index, "an indirect descriptor at the end of a list")
				return false
			}
			q.at = at.advance(1, q.size)
			return q.walkPackedTable(c, v)
		}
		if !q.add(c, v) {
			return false
		}
		at = at.advance(1, q.size)
		if v.flags&virtio.DescNext == 0 {
			q.at = at
			return true
		}
		if c.slots == q.size {
			d.fail("packed/sg/2", q.index, "a list of more than %d descriptors", q.size)
			return false
		}
		w := load64(q.mem[DescArea], virtio.DescLen*int(at.off)+descWord)
		v = descriptor{binary.LittleEndian.Uint64(q.mem[DescArea][virtio.DescLen*int(at.off):]), uint32(w), uint16(w >> 48)}
		if !availableNow(v.flags, at.wrap) {
			d.fail("packed/sg/6", q.index, "descriptor %d of a list is not available (flags %#x) while the first one is", at.off, v.flags)
			return false
		}
		c.id = uint16(w >> 32)
		c.slots++
	}
}

// walkPackedTable reads an indirect table, all of it in order (2.8.7). The IDs in
// it and the WRITE flag of the descriptor that refers to it are ignored. Reserved
// flags have no effect: DPDK's driver sets NEXT and AVAIL.
func (q *queue) walkPackedTable(c *chain, ref descriptor) bool {
	table, n := q.indirectTable(ref)
	for i := range n {
		b := table[virtio.DescLen*i : virtio.DescLen*i+virtio.DescLen]
		v := descriptor{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint32(b[8:]), binary.LittleEndian.Uint16(b[14:])}
		if v.flags&virtio.DescIndirect != 0 {
			q.dev.fail("packed/indirect/2", q.index, "entry %d of an indirect table has flags %#x", i, v.flags)
			return false
		}
		if v.flags&^virtio.DescWrite != 0 {
			q.dev.violate("packed/indirect/2", q.index, "entry %d of an indirect table has flags %#x", i, v.flags)
		}
		if v.flags&virtio.DescWrite != 0 && q.index%2 == 1 {
			// DPDK's driver sets it for the header of a packet in several pieces.
			q.dev.violate("x/net/tx-writable", q.index, "entry %d of the indirect table of a transmitted packet is writable", i)
			v.flags &^= virtio.DescWrite
		}
		if !q.add(c, v) {
			return false
		}
	}
	return n > 0
}

// flushPacked writes used descriptors over the available ones (2.8.8). The first one
// is written last: the driver reads it first, and so it finds none or all.
func (q *queue) flushPacked() {
	first := q.used
	at := first.advance(q.pending[0].skip, q.size)
	for _, e := range q.pending[1:] {
		q.dev.step()
		q.storeUsedDesc(at, e)
		at = at.advance(e.skip, q.size)
	}
	q.dev.step()
	q.storeUsedDesc(first, q.pending[0])
	q.used = at
}

func (q *queue) storeUsedDesc(at cursor, e usedEntry) {
	var flags uint16
	if at.wrap {
		flags = virtio.DescAvail | virtio.DescUsed
	}
	if e.wrote {
		flags |= virtio.DescWrite
	}
	store64(q.mem[DescArea], virtio.DescLen*int(at.off)+descWord, packedWord(e.len, e.id, flags))
}
