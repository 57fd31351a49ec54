package vdev_test

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// packedVQ is the driver side of a packed ring.
type packedVQ struct {
	g                 *guest
	size              int
	addr              [3]uint64
	desc, drv, dev    []byte
	eventIdx, inOrder bool

	next, used         int // slots
	nextWrap, usedWrap bool
	freeSlots          int
	free               []uint16       // buffer IDs
	slots              map[uint16]int // length of each outstanding list
	order              []uint16
	batch              []uint16
	batchLen           uint32
	heads              []head // lists whose first descriptor is still held back
	kicked             int    // slots published since the last kick was considered
}

type head struct {
	slot int
	word uint64
}

func newPackedVQ(g *guest, _, size int) *packedVQ {
	q := &packedVQ{g: g, size: size, freeSlots: size, nextWrap: true, usedWrap: true, slots: make(map[uint16]int),
		eventIdx: g.f.Has(virtio.RingEventIdx), inOrder: g.f.Has(virtio.InOrder)}
	q.addr[0], q.desc = g.alloc(16*size, 16)
	q.addr[1], q.drv = g.alloc(4, 4)
	q.addr[2], q.dev = g.alloc(4, 4)
	for i := range size {
		q.free = append(q.free, uint16(size-1-i))
	}
	return q
}

func (q *packedVQ) areas() [3]uint64 { return q.addr }

func availFlags(wrap bool) uint16 {
	if wrap {
		return virtio.DescAvail
	}
	return virtio.DescUsed
}

func (q *packedVQ) add(indirect bool, pieces ...piece) (uint16, bool) {
	n := len(pieces)
	if indirect {
		n = 1
	}
	if q.freeSlots < n || len(q.free) == 0 {
		return 0, false
	}
	id := q.free[len(q.free)-1]
	q.free = q.free[:len(q.free)-1]
	if indirect {
		addr, table := q.g.alloc(16*len(pieces), 16)
		for i, p := range pieces {
			b := table[16*i:]
			binary.LittleEndian.PutUint64(b, p.addr)
			binary.LittleEndian.PutUint32(b[8:], uint32(p.len))
			if p.write {
				binary.LittleEndian.PutUint16(b[14:], virtio.DescWrite)
			}
		}
		pieces = []piece{{addr, 16 * len(pieces), false}}
	}
	var first head
	for i, p := range pieces {
		flags := availFlags(q.nextWrap)
		if p.write {
			flags |= virtio.DescWrite
		}
		if i < len(pieces)-1 {
			flags |= virtio.DescNext
		}
		if indirect {
			flags |= virtio.DescIndirect
		}
		binary.LittleEndian.PutUint64(q.desc[16*q.next:], p.addr)
		word := uint64(p.len) | uint64(id)<<32 | uint64(flags)<<48
		if i == 0 {
			first = head{q.next, word}
		} else {
			put64(q.desc, 16*q.next+8, word)
		}
		if q.next++; q.next == q.size {
			q.next, q.nextWrap = 0, !q.nextWrap
		}
	}
	q.freeSlots -= n
	q.slots[id] = n
	q.order = append(q.order, id)
	q.heads = append(q.heads, first)
	q.kicked += n
	return id, true
}

// publish stores the first descriptors of all lists, the last list first: the
// device sees none of them or all.
func (q *packedVQ) publish() {
	for i := len(q.heads) - 1; i >= 0; i-- {
		put64(q.desc, 16*q.heads[i].slot+8, q.heads[i].word)
	}
	q.heads = q.heads[:0]
}

func (q *packedVQ) kickWanted() bool {
	n := q.kicked
	q.kicked = 0
	v := get32(q.dev, 0)
	switch v >> 16 & 3 {
	case virtio.EventEnable:
		return n > 0
	case virtio.EventDisable:
		return false
	}
	// The event is a slot: was it among the n that were filled last?
	event := int(v & 0x7fff)
	if v>>15&1 != 0 != q.nextWrap {
		event -= q.size
	}
	return event < q.next && event >= q.next-n
}

func (q *packedVQ) position() uint16 {
	v := uint16(q.next)
	if q.nextWrap {
		v |= 1 << 15
	}
	return v
}

func (q *packedVQ) take() (uint16, uint32, bool) {
	if len(q.batch) > 0 {
		id := q.batch[0]
		q.batch = q.batch[1:]
		q.release(id)
		return id, q.batchLen, true
	}
	w := get64(q.desc, 16*q.used+8)
	flags := uint16(w >> 48)
	a, u := flags&virtio.DescAvail != 0, flags&virtio.DescUsed != 0
	if a != q.usedWrap || u != q.usedWrap {
		return 0, 0, false
	}
	id, length := uint16(w>>32), uint32(w)
	if flags&virtio.DescWrite == 0 {
		length = 0
	}
	if !q.inOrder {
		n, out := q.slots[id]
		if !out {
			q.g.t.Fatalf("the device used %d, which is not outstanding", id)
		}
		q.skip(n)
		q.release(id)
		return id, length, true
	}
	for len(q.order) > 0 {
		first := q.order[0]
		q.order = q.order[1:]
		q.batch = append(q.batch, first)
		q.skip(q.slots[first])
		if first == id {
			q.batchLen = length
			return q.take()
		}
	}
	q.g.t.Fatalf("the device used %d out of order", id)
	return 0, 0, false
}

func (q *packedVQ) skip(n int) {
	if q.used += n; q.used >= q.size {
		q.used, q.usedWrap = q.used-q.size, !q.usedWrap
	}
}

func (q *packedVQ) release(id uint16) {
	q.freeSlots += q.slots[id]
	delete(q.slots, id)
	q.free = append(q.free, id)
	if !q.inOrder {
		q.order = nil
	}
}

func (q *packedVQ) wantInterrupt() {
	if !q.eventIdx {
		put32(q.drv, 0, virtio.EventEnable<<16)
		return
	}
	v := uint32(q.used) | virtio.EventDesc<<16
	if q.usedWrap {
		v |= 1 << 15
	}
	put32(q.drv, 0, v)
}

func (q *packedVQ) noInterrupt() { put32(q.drv, 0, virtio.EventDisable<<16) }
