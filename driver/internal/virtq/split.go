package virtq

import (
	"github.com/virtio-pmd/virtio-pmd/driver/internal/stat"
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

// Split is the driver side of a split virtqueue (2.7).
type Split struct {
	queue
	slots

	desc  []desc
	avail []uint16 // entries of the avail ring, written only
	shown []uint16 // what they hold: an entry that stays the same is not rewritten

	availWord *uint32 // flags and idx of the avail ring
	usedWord  *uint32 // flags and idx of the used ring
	elems     []usedElem
	usedEvent *uint32 // last word of the avail ring: used_event, and maybe the last entry
	availEvt  *uint32 // last word of the used ring: avail_event

	mask       int
	availFlags uint32 // constant: NO_INTERRUPT, or 0 with EVENT_IDX
	availIdx   uint16 // free-running index of the next avail entry
	usedIdx    uint16 // free-running index of the next used entry
	ready      int    // used entries that the device has published beyond usedIdx
	kicked     uint16 // availIdx at the last decision about a doorbell
	parked     uint16 // what used_event holds
	barrier    uint32 // the word that fence is for

	memory   []byte
	segments int // entries of an indirect table, 0 without INDIRECT_DESC
}

// init makes an empty ring in cfg.Memory.
func (s *Split) init(cfg *Config, kicks *stat.Counter) error {
	l, err := cfg.complete()
	if err != nil {
		return err
	}
	n := cfg.Size
	s.queue = newQueue(cfg, l, kicks)
	s.slots = newSlots(n)
	s.memory, s.segments, s.mask = cfg.Memory, cfg.IndirectSize, n-1
	s.desc = descsAt(cfg.Memory, l.Desc, n)
	s.availWord = wordAt(cfg.Memory, l.Driver)
	s.avail = halvesAt(cfg.Memory, l.Driver+splitRingEntries, n)
	s.shown = make([]uint16, n)
	s.usedEvent = wordAt(cfg.Memory, (l.Driver+splitRingEntries+2*n)&^3)
	s.usedWord = wordAt(cfg.Memory, l.Device)
	s.elems = usedElemsAt(cfg.Memory, l.Device+splitRingEntries, n)
	s.availEvt = wordAt(cfg.Memory, l.Device+splitRingEntries+8*n)
	s.seek(0)
	return nil
}

// seek makes both indices start at idx.
func (s *Split) seek(idx uint16) {
	s.availIdx, s.usedIdx, s.kicked = idx, idx, idx
	s.head = int(idx) & s.mask
	if s.eventIdx {
		s.park()
	} else {
		s.availFlags = virtio.AvailNoInterrupt
	}
	publish32(s.availWord, s.availFlags|uint32(idx)<<splitIdxShift)
}

// park keeps used_event just behind what was used, where the device does not
// pass it for another 65535 buffers: polling wants no interrupts, and with
// EVENT_IDX the flag that says so must stay 0 (2.7.7.1).
func (s *Split) park() {
	s.parked = s.usedIdx - 1
	word := uint32(s.parked)
	if s.size1() {
		// The only ring with an odd number of entries: its entry, which is
		// always 0, shares the word.
		word <<= 16
	}
	publish32(s.usedEvent, word)
}

func (s *Split) size1() bool { return s.mask == 0 }

// parkLimit is how far used_event may fall behind. The device can be ahead of
// usedIdx by 32768, and all of it must stay below 65536.
const parkLimit = 1 << 14

// repark moves used_event along if it has fallen behind.
func (s *Split) repark() {
	if s.eventIdx && s.usedIdx-s.parked > parkLimit {
		s.park()
	}
}

// poll reads how far the device got, and makes the used entries up to there
// readable. It returns false if there are none, or if the device claims more
// than it was given: one compare finds an index that jumps and one that goes
// back. outstanding is the number of chains the device has.
func (s *Split) poll(outstanding int) bool {
	idx := uint16(load32(s.usedWord) >> splitIdxShift)
	ready := int(idx - s.usedIdx)
	if ready > outstanding {
		s.fail("the used index is ahead of what was made available", uint64(idx), uint64(s.usedIdx)+uint64(outstanding))
		return false
	}
	s.ready = ready
	return ready > 0
}

// next returns the used entry that is to be looked at now.
func (s *Split) next() *usedElem { return &s.elems[int(s.usedIdx)&s.mask] }

// step goes n used entries on.
func (s *Split) step(n int) {
	s.usedIdx += uint16(n)
	s.ready -= n
}

// peek returns the next used entry, if there is one.
func (s *Split) peek() (id, written uint32, ok bool) {
	if s.ready == 0 && !s.poll(int(s.availIdx-s.usedIdx)) {
		return 0, 0, false
	}
	e := s.next()
	return e.id, e.len, true
}

// skip steps over the used entries of the chains that take n positions at the
// head. It returns false if the device has not used as many.
func (s *Split) skip(n int) bool {
	chains := 0
	for i := range n {
		if s.chain[s.wrap(s.head+i)] != 0 {
			chains++
		}
	}
	if chains > s.ready {
		s.fail("a used entry stands for more buffers than the used index", uint64(chains), uint64(s.ready))
		return false
	}
	s.step(chains)
	return true
}

// show puts the identifiers of the next chains, whose first descriptors lie at
// these positions, into the avail ring, without publishing them. What has gone
// round in order for a lap is there already, and is not written again: the
// device's core keeps the line.
func (s *Split) show(ids []uint16) {
	if s.unsettled > 0 {
		s.unsettled = max(0, s.unsettled-len(ids))
		for i, id := range ids {
			at := (int(s.availIdx) + i) & s.mask
			if s.shown[at] != id {
				s.shown[at] = id
				s.avail[at] = id
			}
		}
	}
	s.availIdx += uint16(len(ids))
}

// publish makes everything shown available to the device (2.7.13.3).
func (s *Split) publish() {
	publish32(s.availWord, s.availFlags|uint32(s.availIdx)<<splitIdxShift)
}

// publishAndKick is publish, and a doorbell if the device asks for one.
func (s *Split) publishAndKick() {
	publishAndFence32(s.availWord, s.availFlags|uint32(s.availIdx)<<splitIdxShift)
	s.kickAfterFence()
}

// kick rings the doorbell if the device asks for it. It decides about
// everything published since the last decision.
func (s *Split) kick() {
	fence(&s.barrier)
	s.kickAfterFence()
}

func (s *Split) kickAfterFence() {
	if s.wantsKick() {
		s.ring(uint32(s.availIdx))
	}
}

// wantsKick tells what the device asks for with respect to everything published
// since the last decision. The caller has put a full barrier behind that.
func (s *Split) wantsKick() bool {
	old := s.kicked
	s.kicked = s.availIdx
	if s.eventIdx {
		event := uint16(load32(s.availEvt))
		return splitWantsEvent(event, s.availIdx, old)
	}
	return load32(s.usedWord)&virtio.UsedNoNotify == 0 && s.availIdx != old
}
