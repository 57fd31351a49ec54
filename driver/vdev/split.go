package vdev

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Offsets in the available and the used ring (2.7.6, 2.7.8).
const (
	ringFlags   = 0 // le16, one word with the index behind it
	ringEntries = 4
	usedElem    = 8 // le32 id, le32 len
)

// checkSplitStart checks a ring that the device has not touched yet.
func (q *queue) checkSplitStart() {
	if w := load32(q.mem[DeviceArea], ringFlags); w != 0 {
		q.dev.violate("split/avail-suppress/1", q.index, "the used ring begins with flags %d and index %d in place of 0", w&0xffff, w>>16)
	}
}

// readAvail reads the index and the flags of the available ring (2.7.6).
func (q *queue) readAvail() bool {
	w := load32(q.mem[DriverArea], ringFlags)
	q.seen = uint16(w >> 16)
	if flags := uint16(w); flags > virtio.AvailNoInterrupt || flags != 0 && q.eventIdx {
		rule := "split/used-suppress/1"
		if q.eventIdx {
			rule = "split/used-suppress/3"
		}
		q.dev.violate(rule, q.index, "avail.flags is %d", flags)
	}
	if n := q.seen - q.at.off; n > q.size {
		q.dev.fail("split/avail/1", q.index, "avail.idx went from %d to %d in a queue of %d", q.at.off, q.seen, q.size)
		return false
	}
	return q.seen != q.at.off
}

// popSplit takes the next chain from the available ring (2.7.6).
func (q *queue) popSplit(c *chain) bool {
	if q.seen == q.at.off && !q.readAvail() {
		return false
	}
	slot := int(q.at.off & (q.size - 1))
	head := binary.LittleEndian.Uint16(q.mem[DriverArea][ringEntries+2*slot:])
	if head >= q.size {
		q.dev.fail("x/split/head", q.index, "available entry %d names descriptor %d in a queue of %d", q.at.off, head, q.size)
		return false
	}
	c.id = head
	q.at.off++
	v, next := descriptorAt(q.mem[DescArea], int(head))
	if v.flags&(virtio.DescNext|virtio.DescIndirect) == 0 {
		return q.add(c, v)
	}
	return q.walkSplit(c, head, v, next)
}

// walkSplit follows a chain of descriptors from its head on (2.7.5).
func (q *queue) walkSplit(c *chain, i uint16, v descriptor, next uint16) bool {
	d := q.dev
	for hops := 1; ; hops++ {
		if v.flags&virtio.DescIndirect != 0 {
			return q.walkSplitTable(c, v)
		}
		if !q.add(c, v) {
			return false
		}
		if v.flags&virtio.DescNext == 0 {
			return true
		}
		switch {
		case hops == int(q.size):
			d.fail("split/indirect/3", q.index, "a chain of more than %d descriptors, or a loop", q.size)
			return false
		case next >= q.size:
			d.fail("x/split/next", q.index, "descriptor %d links to %d in a queue of %d", i, next, q.size)
			return false
		case q.inOrder && next != (i+1)&(q.size-1):
			d.violate("split/desc/2", q.index, "with IN_ORDER descriptor %d links to %d", i, next)
		}
		i = next
		v, next = descriptorAt(q.mem[DescArea], int(i))
	}
}

// walkSplitTable follows the links in an indirect table (2.7.5.3). It begins
// with the first entry, and need not use all.
func (q *queue) walkSplitTable(c *chain, ref descriptor) bool {
	d := q.dev
	table, n := q.indirectTable(ref)
	if n == 0 {
		return false
	}
	i := 0
	for hops := 1; ; hops++ {
		v, next := descriptorAt(table, i)
		if v.flags&virtio.DescIndirect != 0 {
			d.fail("split/indirect/2", q.index, "an indirect descriptor inside an indirect table")
			return false
		}
		if !q.add(c, v) {
			return false
		}
		if v.flags&virtio.DescNext == 0 {
			break
		}
		switch {
		case hops == n:
			d.fail("split/indirect/3", q.index, "the links of an indirect table of %d entries never end", n)
			return false
		case int(next) >= n:
			d.fail("x/split/next", q.index, "entry %d of an indirect table links to %d, it has %d", i, next, n)
			return false
		case q.inOrder && int(next) != i+1:
			d.violate("split/indirect/5", q.index, "with IN_ORDER entry %d of an indirect table links to %d", i, next)
		}
		i = int(next)
	}
	if len(c.segs) > int(q.size) {
		d.fail("split/indirect/3", q.index, "a chain of %d descriptors in a queue of %d", len(c.segs), q.size)
		return false
	}
	return true
}

// flushSplit writes the used ring and moves its index (2.7.8).
func (q *queue) flushSplit() {
	used := q.mem[DeviceArea]
	for _, e := range q.pending {
		// The entries that a batch skips are not written (2.7.9).
		b := used[ringEntries+usedElem*int(q.used.off&(q.size-1)):]
		binary.LittleEndian.PutUint64(b, uint64(e.id)|uint64(e.len)<<32)
		q.used.off += e.skip
	}
	q.storeUsed()
}

// storeUsed writes flags and index of the used ring. The store publishes the used
// entries that were written before it.
func (q *queue) storeUsed() {
	flags := uint32(0)
	if q.noNotify && !q.eventIdx {
		flags = virtio.UsedNoNotify
	}
	store32(q.mem[DeviceArea], ringFlags, flags|uint32(q.used.off)<<16)
}
