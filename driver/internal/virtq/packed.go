package virtq

import (
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Fields of the second half of a packed descriptor: le32 len, le16 id, le16
// flags (2.8.13). It is written in one store, which makes the descriptor
// available, and read in one load.
const (
	packedIDShift    = 32
	packedFlagsShift = 48
	packedWrite      = virtio.DescWrite << packedFlagsShift
	packedNext       = virtio.DescNext << packedFlagsShift
	packedIndirect   = virtio.DescIndirect << packedFlagsShift
	packedAvail      = virtio.DescAvail << packedFlagsShift
	packedUsed       = virtio.DescUsed << packedFlagsShift

	// packedState are the bits that say whether a descriptor is available or
	// used, packedTag those that one compare recognises an ordinary used
	// descriptor by: its state, its buffer ID, and no flag but WRITE.
	packedState = packedAvail | packedUsed
	packedTag   = 0xffff<<packedFlagsShift&^packedWrite | 0xffff<<packedIDShift

	// packedNextID is the step from a buffer ID to the next.
	packedNextID = 1 << packedIDShift

	// packedReserved are the flags that a used descriptor has no use for.
	packedReserved = 0xffff << packedFlagsShift &^ (packedState | packedWrite)
)

// packedID returns the buffer ID of a descriptor.
func packedID(meta uint64) uint32 { return uint32(meta>>packedIDShift) & 0xffff }

// packedRing is what only a packed virtqueue has (2.8).
//
// The positions of slots are the descriptors of the ring: buffers are made
// available at tail and used at head. Both wrap around, and each has a wrap
// counter, which starts at 1 and is kept as the flags that it stands for.
type packedRing struct {
	deviceEvent *uint32 // the device event suppression area: when to notify
	driverEvent *uint32 // the driver event suppression area: when to interrupt

	tailFlags uint64 // AVAIL, USED of a descriptor made available at tail
	headFlags uint64 // AVAIL, USED of a descriptor used at head
}

// initPacked sets up the event suppression areas and the wrap counters.
func (r *ring) initPacked() {
	r.deviceEvent = wordAt(r.memory, r.layout.Device)
	r.tailFlags, r.headFlags = packedAvail, packedState
	// Polling wants no interrupts, with EVENT_IDX and without (2.8.14).
	r.driverEvent = wordAt(r.memory, r.layout.Driver)
	publish32(r.driverEvent, uint32(packedEventDisable))
}

// enterPacked takes n descriptors at tail into the window. The wrap counter
// flips when they pass the end of the ring, also when they end exactly there
// (2.8.1).
func (r *ring) enterPacked(n int) {
	if r.tail()+n >= r.size() {
		r.tailFlags ^= packedState
	}
	r.count += n
	r.unkicked += n
}

// leavePacked takes n descriptors at head out of the window.
func (r *ring) leavePacked(n int) {
	if r.head+n >= r.size() {
		r.headFlags ^= packedState
	}
	r.drop(n)
}

// peekPacked returns the buffer ID and length of the descriptor at head, if it
// is used.
func (r *ring) peekPacked() (id, written uint32, ok bool) {
	if r.count == 0 {
		return 0, 0, false
	}
	m := load64(&r.desc[r.head].meta)
	if m&packedState != r.headFlags {
		return 0, 0, false
	}
	return packedID(m), uint32(m), true
}

// kickPacked is kick on a packed ring.
func (r *ring) kickPacked() {
	// Without the barrier the event suppression could be read before the device
	// can see what was published, and each side would wait for the other.
	fence(&r.barrier)
	event, count := packedEvent(load32(r.deviceEvent)), r.unkicked
	r.unkicked = 0
	if event.flags() == virtio.EventDisable {
		r.suppressed.Add(1)
		return
	}
	next, wrap := r.tail(), r.tailFlags == packedAvail
	if event.wants(next, count, r.size(), wrap, r.eventIdx) || event.passed(next, count, r.size(), wrap) && r.usedBefore(count) {
		r.notify(position(next, wrap))
	} else {
		r.suppressed.Add(1)
	}
}

// usedBefore reports whether the device has used the descriptor in front of the last
// count. A device that has, and asks to be notified of one before that, either looks at
// the ring in a moment, or has gone to sleep without saying where it got to: QEMU's does
// when its own back end took packets late, and would sleep until the ring is full. One that
// has not used it looks at the next one when it has.
func (r *ring) usedBefore(count int) bool {
	at, used := r.tail()-count-1, uint64(0)
	if r.tailFlags == packedAvail {
		used = packedState
	}
	if at < 0 {
		at, used = at+r.size(), used^packedState // the lap before that of the tail
	}
	return at >= 0 && load64(&r.desc[at].meta)&packedState == used
}

// nextPacked returns the position of the next descriptor to be made available.
func (r *ring) nextPacked() uint32 { return position(r.tail(), r.tailFlags == packedAvail) }

// putPacked is put on a packed ring.
func (r *ring) putPacked(b *mbuf.Buf, segs []Segment, out int) uint16 {
	at := r.tail()
	n := needs(len(segs), r.indirectSize)
	id := r.id[at]
	head := desc{addr: segs[0].Address, meta: uint64(segs[0].Len)}
	if out == 0 {
		head.meta |= packedWrite
	}
	if n < len(segs) {
		head = r.tablePacked(id, segs, out)
	} else if n > 1 {
		head.meta |= packedNext
		r.finishChain(at, id, segs, out)
	}
	// The device must not see the head before the list is complete (2.8.21.1).
	r.desc[at].addr = head.addr
	publish64(&r.desc[at].meta, head.meta|uint64(id)<<packedIDShift|r.tailFlags)
	r.begin(at, n, b)
	r.enterPacked(n)
	return id
}

// finishChain makes all descriptors of a list but the first available, each
// with the wrap counter of its lap.
func (r *ring) finishChain(at int, id uint16, segs []Segment, out int) {
	flags := r.tailFlags
	for i := 1; i < len(segs); i++ {
		at++
		if at == r.size() {
			at, flags = 0, flags^packedState
		}
		meta := uint64(segs[i].Len) | uint64(id)<<packedIDShift | flags
		if i >= out {
			meta |= packedWrite
		}
		if i+1 < len(segs) {
			meta |= packedNext
		}
		r.desc[at].addr = segs[i].Address
		publish64(&r.desc[at].meta, meta)
	}
}

// tablePacked fills the indirect table of id and returns the descriptor that
// refers to it. Entries follow each other, with no flag but WRITE (2.8.7).
func (r *ring) tablePacked(id uint16, segs []Segment, out int) desc {
	table, address := r.table(id)
	table = table[:len(segs)]
	for i, g := range segs {
		table[i] = desc{addr: g.Address, meta: uint64(g.Len)}
	}
	for i := out; i < len(table); i++ {
		table[i].meta |= packedWrite
	}
	return desc{
		addr: address,
		meta: uint64(len(segs)*descBytes) | packedIndirect,
	}
}
