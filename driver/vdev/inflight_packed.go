package vdev

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// The region of a packed ring. The word at 8 is le16 version, desc_num, free_head and
// old_free_head, the one at 16 le16 used_idx, le16 old_used_idx, u8 used_wrap_counter,
// u8 old_used_wrap_counter. The four of a kind are stored at once, so that position and
// wrap counter never disagree. At 32 begins an entry for each descriptor: u8 inflight,
// padding, le16 next, last and num in the first word, le64 counter, le16 id, le16 flags and
// le32 length, le64 address.
//
// A chain takes as many entries from the list of free ones as it has descriptors; the
// first stands for it.
const (
	packedPosition = 16
	packedStates   = 32
	packedState    = 32
	packedCounter  = 8
	packedDesc     = 16
	packedAddress  = 24
)

func (t *inflight) beginPacked(at cursor) {
	size := int(t.queue.size)
	clear(t.mem[packedPosition:])
	t.links, t.room = make([]link, size), size
	for i := range t.links {
		t.links[i].next = uint16(i + 1)
		t.storeEntry(uint16(i), 0)
	}
	t.storePosition(at, at)
	t.storeFree(0)
}

// storeFree stores version, free_head and old_free_head.
func (t *inflight) storeFree(old uint16) {
	t.store(inflightHeader, inflightVersion|uint64(t.queue.size)<<16|uint64(t.free)<<32|uint64(old)<<48)
}

func (t *inflight) storePosition(used, old cursor) {
	v := uint64(used.off) | uint64(old.off)<<16
	if used.wrap {
		v |= 1 << 32
	}
	if old.wrap {
		v |= 1 << 40
	}
	t.store(packedPosition, v)
}

// storeEntry stores the links of an entry, and whether it stands for a chain in flight.
func (t *inflight) storeEntry(i uint16, inflight uint64) {
	l := t.links[i]
	t.store(packedStates+packedState*int(i), inflight|uint64(l.next)<<16|uint64(l.last)<<32|uint64(l.num)<<48)
}

// takePacked copies the descriptors of a chain. The entries are taken by the store of
// old_free_head, at the next flush: before it the mark of the first does not count, because
// that is in the list of free ones, and the chain is still in the ring.
func (t *inflight) takePacked(c *chain) bool {
	q := t.queue
	if t.room < int(c.slots) {
		q.dev.fail("x/packed/avail-bits", q.index,
			"more than %d descriptors are available at a time in a queue of %d", q.size, q.size)
		return false
	}
	t.room -= int(c.slots)
	c.mark.entry = t.free
	at, i := c.from, t.free
	for range c.slots {
		w := load64(q.mem[DescArea], virtio.DescLen*int(at.off)+descWord)
		off := packedStates + packedState*int(t.free)
		t.store(off+packedDesc, w>>32|w<<32)
		t.store(off+packedAddress, binary.LittleEndian.Uint64(q.mem[DescArea][virtio.DescLen*int(at.off):]))
		i, t.free = t.free, t.links[t.free].next
		at = at.advance(1, q.size)
	}
	t.links[c.mark.entry].last, t.links[c.mark.entry].num = i, c.slots
	t.store(packedStates+packedState*int(c.mark.entry)+packedCounter, t.counter)
	t.counter++
	t.storeEntry(c.mark.entry, 1)
	return true
}

// flushPacked is queue.flushPacked with a record.
func (t *inflight) flushPacked() {
	q := t.queue
	oldFree, old, used := t.free, q.used, q.used
	for _, e := range q.pending {
		used = used.advance(e.skip, q.size)
	}
	t.storeFree(t.free)
	for _, i := range t.batch {
		l := &t.links[i]
		t.links[l.last].next, t.free = t.free, i
		t.room += int(l.num)
		var inflight uint64
		if l.last == i {
			inflight = 1
		}
		t.storeEntry(l.last, inflight)
	}
	t.storeFree(oldFree)
	t.storePosition(used, old)
	q.flushPacked()
	for _, i := range t.batch {
		t.storeEntry(i, 0)
	}
	t.storeFree(t.free)
	t.storePosition(used, used)
	t.batch = t.batch[:0]
}

// recoverPacked goes on with a record. If the two positions differ, the ring says which
// is true: as long as the first descriptor of the batch is available, the driver has
// seen nothing of the batch. Those after it may have been written already: they become
// available again before the record forgets them, because the next batch may be a smaller
// one, and the driver would go on to them after it.
func (t *inflight) recoverPacked() (used, next cursor, err error) {
	q := t.queue
	b := slices.Clone(t.mem[:packedStates+packedState*int(q.size)])
	used = cursor{recorded16(b, packedPosition), b[packedPosition+4] != 0}
	old := cursor{recorded16(b, packedPosition+2), b[packedPosition+5] != 0}
	if used.off >= q.size || old.off >= q.size {
		return used, used, fmt.Errorf("positions %d and %d in a queue of %d", used.off, old.off, q.size)
	}
	t.free = recorded16(b, 12)
	flags := uint16(load64(q.mem[DescArea], virtio.DescLen*int(old.off)+descWord) >> 48)
	end := used
	if used == old || availableNow(flags, old.wrap) {
		used, t.free = old, recorded16(b, 14)
	}
	slots, err := t.readEntries(b)
	if err != nil {
		return used, used, err
	}
	t.sort()
	if t.kept && !t.matches(used) {
		return used, used, errAnotherRing
	}
	for _, i := range t.stale {
		t.storeEntry(i, 0) // before anything forgets that it is free
	}
	t.restore(used, end)
	t.storeFree(t.free)
	t.storePosition(used, used)
	return used, used.advance(slots, q.size), nil
}

// restore makes descriptors available again that were used, from the second to end.
func (t *inflight) restore(first, end cursor) {
	q, at := t.queue, first
	for i := range t.again {
		k := &t.again[i]
		for _, v := range k.slots {
			if at == end {
				return
			}
			if at != first {
				flags := v.flags&^(virtio.DescAvail|virtio.DescUsed) | uint16(virtio.DescUsed)
				if at.wrap {
					flags ^= virtio.DescAvail | virtio.DescUsed
				}
				q.dev.step()
				store64(q.mem[DescArea], virtio.DescLen*int(at.off)+descWord, packedWord(v.len, k.id, flags))
			}
			at = at.advance(1, q.size)
		}
	}
}

// readEntries reads the list of free entries and the chains in flight, and returns how
// many descriptors these have. Each entry has to be in one of them.
func (t *inflight) readEntries(b []byte) (slots uint16, err error) {
	size := int(t.queue.size)
	t.links = make([]link, size)
	for i := range t.links {
		e := b[packedStates+packedState*i:]
		t.links[i] = link{recorded16(e, 2), recorded16(e, 4), recorded16(e, 6)}
	}
	seen := make([]bool, size)
	for i := int(t.free); i < size; i = int(t.links[i].next) {
		if seen[i] {
			return 0, fmt.Errorf("entry %d is free twice", i)
		}
		seen[i] = true
		t.room++
		if b[packedStates+packedState*i] != 0 {
			t.stale = append(t.stale, uint16(i))
		}
	}
	for i := range t.links {
		if e := b[packedStates+packedState*i:]; !seen[i] && e[0] == 1 {
			k := taken{entry: uint16(i), counter: binary.LittleEndian.Uint64(e[packedCounter:])}
			if err := t.readChain(b, &k, seen); err != nil {
				return 0, err
			}
			slots += t.links[i].num
			t.counter = max(t.counter, k.counter+1)
			t.again = append(t.again, k)
		}
	}
	if i := slices.Index(seen, false); i >= 0 {
		return 0, fmt.Errorf("entry %d is neither free nor in flight", i)
	}
	return slots, nil
}

// readChain reads the descriptors of a chain in flight. No entry is read twice, which
// bounds their number.
func (t *inflight) readChain(b []byte, k *taken, seen []bool) error {
	i, l := int(k.entry), t.links[k.entry]
	for n := l.num; n > 0; n-- {
		if i >= len(seen) || seen[i] {
			return fmt.Errorf("the chain of entry %d has entry %d, which is not its own", k.entry, i)
		}
		seen[i] = true
		e := b[packedStates+packedState*i:]
		k.id = recorded16(e, packedDesc)
		k.slots = append(k.slots, descriptor{binary.LittleEndian.Uint64(e[packedAddress:]),
			binary.LittleEndian.Uint32(e[packedDesc+4:]), recorded16(e, packedDesc+2)})
		if n == 1 && i != int(l.last) {
			return fmt.Errorf("the chain of entry %d ends with entry %d, not %d", k.entry, i, l.last)
		}
		i = int(t.links[i].next)
	}
	if l.num == 0 {
		return fmt.Errorf("the chain of entry %d has no descriptors", k.entry)
	}
	return nil
}

// matches reports whether the ring of the driver is the one that a record is about, whose
// next used descriptor goes to used. A driver that has started anew has a ring of zeros, or
// one in which it made buffers available from the beginning.
func (t *inflight) matches(used cursor) bool {
	q := t.queue
	if len(t.again) > 0 { // its first descriptor is still there
		v := t.again[0].slots[0]
		return q.slotAddr(used) == v.addr && uint32(q.slotWord(used)) == v.len && uint16(q.slotWord(used)>>48) == v.flags
	}
	// The first free entry is that of the chain that was used last.
	if t.free >= q.size || t.links[t.free].num == 0 || t.links[t.free].num > q.size {
		return false
	}
	l := t.links[t.free]
	last := used.back(l.num, q.size)
	w := q.slotWord(last)
	if flags := uint16(w >> 48); !usedNow(flags, last.wrap) {
		// The driver has used this descriptor again, and the front end may have dropped
		// that: it is a lap ahead, and those from here on are available.
		return (availableNow(flags, !last.wrap) || usedNow(flags, !last.wrap)) &&
			availableNow(uint16(q.slotWord(used)>>48), used.wrap)
	}
	return q.slotAddr(last) == binary.LittleEndian.Uint64(t.mem[packedStates+packedState*int(t.free)+packedAddress:]) &&
		l.last < q.size && uint16(w>>32) == recorded16(t.mem, packedStates+packedState*int(l.last)+packedDesc)
}

// slotAddr and slotWord return the two words of a descriptor.
func (q *queue) slotAddr(at cursor) uint64 {
	return binary.LittleEndian.Uint64(q.mem[DescArea][virtio.DescLen*int(at.off):])
}

func (q *queue) slotWord(at cursor) uint64 {
	return load64(q.mem[DescArea], virtio.DescLen*int(at.off)+descWord)
}

// catchUp goes on behind what the driver's side has used itself, from one position to
// another, and drops what was transmitted before that: the driver sees used descriptors
// only in the order of the ring. It reports false if that is not what has happened.
func (q *queue) catchUp(from, to cursor) bool {
	size := int(q.size)
	if q.index%2 == 0 || q.at.distance(from, q.size) > size || from.distance(to, q.size) > size {
		return false
	}
	var c chain
	for q.at != from || q.track.next < len(q.track.again) {
		if len(q.pending) == size || !q.pop(&c) {
			q.pending = q.pending[:0]
			return false
		}
		q.push(&c, 0)
		q.dev.dropped.Add(1)
		q.dev.droppedBytes.Add(max(c.out, uint64(q.headerLen)) - uint64(q.headerLen))
	}
	q.flush()
	q.at, q.used, q.marked = to, to, to
	q.track.storePosition(to, to)
	return true
}

// takenPacked makes c the chain that was taken before.
func (q *queue) takenPacked(c *chain, k *taken) bool {
	c.id, c.slots = k.id, uint16(len(k.slots))
	for _, v := range k.slots {
		if v.flags&virtio.DescIndirect != 0 {
			if len(k.slots) != 1 {
				q.dev.fail("packed/indirect/4", q.index, "an indirect descriptor in a list")
				return false
			}
			return q.walkPackedTable(c, v)
		}
		if !q.add(c, v) {
			return false
		}
	}
	return true
}
