package virtq

import (
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Offsets in the avail and used rings of a split queue (2.7.6, 2.7.8). flags
// and idx are one aligned word, so they are written, and read, at once.
const (
	splitRingEntries = 4
	splitIdxShift    = 16
)

// Flags of a split descriptor, as they lie in the upper half of desc.meta: le32
// len, le16 flags, le16 next (2.7.5).
const (
	splitFlagsShift = 32
	splitNextShift  = 48
	splitWrite      = virtio.DescWrite << splitFlagsShift
	splitNext       = virtio.DescNext << splitFlagsShift
	splitIndirect   = virtio.DescIndirect << splitFlagsShift
)

// splitRing is what only a split virtqueue has (2.7).
type splitRing struct {
	avail       []uint16 // entries of the avail ring, written only
	availShadow []uint16 // what they hold: an entry that stays the same is not rewritten

	usedEvent  *uint32 // last word of the avail ring: used_event, and maybe the last entry
	availEvent *uint32 // last word of the used ring: avail_event
	availWord  *uint32 // flags and idx of the avail ring
	usedWord   *uint32 // flags and idx of the used ring
	elems      []usedElem

	mask            int
	ready           int    // used entries that the device has published beyond usedIdx
	availFlags      uint32 // NO_INTERRUPT while the queue is polled, or always 0 with EVENT_IDX
	availIdx        uint16 // free-running index of the next avail entry
	usedIdx         uint16 // free-running index of the next used entry
	usedEventShadow uint16 // what used_event holds
}

// initSplit finds the two rings in the memory.
func (r *ring) initSplit() {
	n, driver, device := r.size(), r.layout.Driver, r.layout.Device
	r.mask = n - 1
	r.availWord = wordAt(r.memory, driver)
	r.avail = halvesAt(r.memory, driver+splitRingEntries, n)
	r.availShadow = make([]uint16, n)
	r.usedEvent = wordAt(r.memory, (driver+splitRingEntries+2*n)&^3)
	r.usedWord = wordAt(r.memory, device)
	r.elems = usedElemsAt(r.memory, device+splitRingEntries, n)
	r.availEvent = wordAt(r.memory, device+splitRingEntries+8*n)
	r.seek(0)
}

// seek makes both indices start at idx.
func (r *ring) seek(idx uint16) {
	r.availIdx, r.usedIdx, r.unkicked = idx, idx, 0
	r.head = int(idx) & r.mask
	if r.eventIdx {
		r.writeUsedEvent(r.usedIdx - 1)
	} else {
		r.availFlags = virtio.AvailNoInterrupt
	}
	r.publishSplit()
}

// writeUsedEvent puts used_event at an entry of the used ring: the device interrupts when
// it has filled that. For polling, which wants no interrupts, it is the one just behind what
// was used, which the device does not pass for another 65535 buffers: with EVENT_IDX the
// flag that says so must stay 0 (2.7.7.1).
func (r *ring) writeUsedEvent(at uint16) {
	r.usedEventShadow = at
	word := uint32(r.usedEventShadow)
	if r.size() == 1 {
		// used_event of this ring alone is the upper half of its word: the one
		// entry of the avail ring, which is always 0, is the lower.
		word <<= 16
	}
	publish32(r.usedEvent, word)
}

// maxEventLag is how far used_event may fall behind. The device can be ahead of
// usedIdx by 32768, and all of it must stay below 65536.
const maxEventLag = 1 << 14

// deferUsedEvent moves used_event along if it has fallen behind, so that the
// device never reaches it and never interrupts.
func (r *ring) deferUsedEvent() {
	if r.eventIdx && r.usedIdx-r.usedEventShadow > maxEventLag {
		r.writeUsedEvent(r.usedIdx - 1)
	}
}

// poll reads the used index, and makes the used entries up to there readable.
// It returns false if there are none, or if the device claims more than it was
// given: one compare finds an index that jumps and one that goes back.
// outstanding is the number of chains the device has.
func (r *ring) poll(outstanding int) bool {
	idx := uint16(load32(r.usedWord) >> splitIdxShift)
	ready := int(idx - r.usedIdx)
	if ready > outstanding {
		r.fail("the used index is ahead of what was made available",
			uint64(idx), uint64(r.usedIdx)+uint64(outstanding))
		return false
	}
	r.ready = ready
	return ready > 0
}

// chains returns how many chains the device has.
func (s *splitRing) chains() int { return int(s.availIdx - s.usedIdx) }

// next returns the first used entry that was not consumed yet.
func (s *splitRing) next() *usedElem { return &s.elems[int(s.usedIdx)&s.mask] }

// step consumes n used entries.
func (s *splitRing) step(n int) {
	s.usedIdx += uint16(n)
	s.ready -= n
}

// peekSplit returns the next used entry, if there is one.
func (r *ring) peekSplit() (id, written uint32, ok bool) {
	if r.ready == 0 && !r.poll(r.chains()) {
		return 0, 0, false
	}
	e := r.next()
	return e.id, e.len, true
}

// skip steps over the used entries of the chains that take n positions at the
// head. It returns false if the device has not used as many.
func (r *ring) skip(n int) bool {
	chains := 0
	for i := range n {
		if r.chain[r.wrap(r.head+i)] != 0 {
			chains++
		}
	}
	if chains > r.ready {
		r.fail("a used entry stands for more buffers than the used index",
			uint64(chains), uint64(r.ready))
		return false
	}
	r.step(chains)
	return true
}

// fillAvail puts the identifiers of the next chains into the avail ring, without
// publishing them. While buffers are used in order the entries repeat every lap,
// and are not written again: the device's core keeps the cache line.
func (r *ring) fillAvail(ids []uint16) {
	if r.unsettled > 0 {
		r.unsettled = max(0, r.unsettled-len(ids))
		for i, id := range ids {
			at := (int(r.availIdx) + i) & r.mask
			if r.availShadow[at] != id {
				r.availShadow[at] = id
				r.avail[at] = id
			}
		}
	}
	r.availIdx += uint16(len(ids))
	r.unkicked += len(ids)
}

// publishSplit makes everything in the avail ring available to the device
// (2.7.13.3).
func (r *ring) publishSplit() {
	publish32(r.availWord, r.availFlags|uint32(r.availIdx)<<splitIdxShift)
}

// publishAndKickSplit is publishSplit and kickSplit with one barrier.
func (r *ring) publishAndKickSplit() {
	publishAndFence32(r.availWord, r.availFlags|uint32(r.availIdx)<<splitIdxShift)
	r.kickFencedSplit()
}

// kickSplit is kick on a split ring.
func (r *ring) kickSplit() {
	// Without the barrier the event suppression could be read before the device
	// can see what was published, and each side would wait for the other.
	fence(&r.barrier)
	r.kickFencedSplit()
}

// kickFencedSplit is kickSplit behind a full barrier.
func (r *ring) kickFencedSplit() {
	if r.wantsKickSplit() {
		r.notify(r.nextSplit())
	} else {
		r.suppressed.Add(1)
	}
}

// wantsKickSplit reports whether the device asks to be notified of what was
// published since the last decision.
func (r *ring) wantsKickSplit() bool {
	count := r.unkicked
	r.unkicked = 0
	if r.eventIdx {
		event := uint16(load32(r.availEvent))
		return splitWantsEvent(event, r.availIdx, r.availIdx-uint16(count))
	}
	return load32(r.usedWord)&virtio.UsedNoNotify == 0 && count > 0
}

// nextSplit returns the index of the next entry of the avail ring.
func (s *splitRing) nextSplit() uint32 { return uint32(s.availIdx) }

// putSplit is put on a split ring.
func (r *ring) putSplit(b *mbuf.Buf, segs []Segment, out int) uint16 {
	at := r.tail()
	n := needs(len(segs), r.indirectSize)
	head := r.id[at]
	if n < len(segs) {
		r.desc[head] = r.tableSplit(head, segs, out)
	} else {
		for i, g := range segs {
			d := desc{addr: g.Address, meta: uint64(g.Len)}
			if i >= out {
				d.meta |= splitWrite
			}
			if i+1 < n {
				// With IN_ORDER the identifiers never leave their order, so the
				// next one is x+1, as 2.7.5.2 wants.
				d.meta |= splitNext | uint64(r.id[r.wrap(at+i+1)])<<splitNextShift
			}
			r.desc[r.id[r.wrap(at+i)]] = d
		}
	}
	r.begin(at, n, b)
	r.count += n
	r.fillAvail(r.id[at : at+1])
	if n > 1 { // positions and entries of the avail ring no longer keep in step
		r.unsettled = r.size()
	}
	return head
}

// tableSplit fills the indirect table of id and returns the descriptor that
// refers to it (2.7.5.3). Entries link in sequence, as IN_ORDER wants.
func (r *ring) tableSplit(id uint16, segs []Segment, out int) desc {
	table, address := r.table(id)
	table = table[:len(segs)]
	next := uint64(splitNext)
	for i, g := range segs {
		next += 1 << splitNextShift
		table[i] = desc{addr: g.Address, meta: uint64(g.Len) | next}
	}
	table[len(table)-1].meta &^= next // the last one has no next
	for i := out; i < len(table); i++ {
		table[i].meta |= splitWrite
	}
	return desc{
		addr: address,
		meta: uint64(len(segs)*descBytes) | splitIndirect,
	}
}
