package vdev_test

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// splitVQ is the driver side of a split ring.
type splitVQ struct {
	g                 *guest
	size              int
	addr              [3]uint64
	desc, avail, used []byte
	eventIdx, inOrder bool

	free      []uint16 // without IN_ORDER
	nextDesc  uint16   // with IN_ORDER: descriptors are taken in a circle
	freeCount int
	idx       uint16 // available index, not yet published
	published uint16
	kicked    uint16
	lastUsed  uint16
	chains    map[uint16]int // descriptors of each outstanding head
	order     []uint16       // heads in the order they were made available
	batch     []uint16       // heads a batched used entry stands for
	batchLen  uint32
	flags     uint32
}

func newSplitVQ(g *guest, _, size int) *splitVQ {
	q := &splitVQ{g: g, size: size, freeCount: size, chains: make(map[uint16]int),
		eventIdx: g.f.Has(virtio.RingEventIdx), inOrder: g.f.Has(virtio.InOrder)}
	q.addr[0], q.desc = g.alloc(16*size, 16)
	q.addr[1], q.avail = g.alloc(6+2*size+2, 4)
	q.addr[2], q.used = g.alloc(6+8*size+2, 4)
	for i := range size {
		q.free = append(q.free, uint16(size-1-i))
	}
	return q
}

func (q *splitVQ) areas() [3]uint64 { return q.addr }

func (q *splitVQ) takeDesc() uint16 {
	q.freeCount--
	if q.inOrder {
		d := q.nextDesc
		q.nextDesc = (d + 1) % uint16(q.size)
		return d
	}
	d := q.free[len(q.free)-1]
	q.free = q.free[:len(q.free)-1]
	return d
}

func writeSplitDesc(b []byte, p piece, flags, next uint16) {
	if p.write {
		flags |= virtio.DescWrite
	}
	binary.LittleEndian.PutUint64(b, p.addr)
	binary.LittleEndian.PutUint32(b[8:], uint32(p.len))
	binary.LittleEndian.PutUint16(b[12:], flags)
	binary.LittleEndian.PutUint16(b[14:], next)
}

func (q *splitVQ) add(indirect bool, pieces ...piece) (uint16, bool) {
	n := len(pieces)
	if indirect {
		n = 1
	}
	if q.freeCount < n {
		return 0, false
	}
	var head uint16
	if indirect {
		addr, table := q.g.alloc(16*len(pieces), 16)
		for i, p := range pieces {
			flags := uint16(virtio.DescNext)
			if i == len(pieces)-1 {
				flags = 0
			}
			writeSplitDesc(table[16*i:], p, flags, uint16(i+1))
		}
		head = q.takeDesc()
		writeSplitDesc(q.desc[16*int(head):], piece{addr, 16 * len(pieces), false}, virtio.DescIndirect, 0)
	} else {
		ids := make([]uint16, n)
		for i := range ids {
			ids[i] = q.takeDesc()
		}
		head = ids[0]
		for i, p := range pieces {
			if i == n-1 {
				writeSplitDesc(q.desc[16*int(ids[i]):], p, 0, 0)
			} else {
				writeSplitDesc(q.desc[16*int(ids[i]):], p, virtio.DescNext, ids[i+1])
			}
		}
	}
	q.chains[head] = n
	q.order = append(q.order, head)
	binary.LittleEndian.PutUint16(q.avail[4+2*(int(q.idx)%q.size):], head)
	q.idx++
	return head, true
}

func (q *splitVQ) publish() {
	q.published = q.idx
	put32(q.avail, 0, q.flags|uint32(q.idx)<<16)
}

func (q *splitVQ) kickWanted() bool {
	before := q.kicked
	q.kicked = q.published
	if q.eventIdx {
		event := uint16(get32(q.used, 4+8*q.size))
		return q.published-event-1 < q.published-before
	}
	return get32(q.used, 0)&virtio.UsedNoNotify == 0 && q.published != before
}

func (q *splitVQ) position() uint16 { return q.published }

func (q *splitVQ) take() (uint16, uint32, bool) {
	if len(q.batch) > 0 {
		id := q.batch[0]
		q.batch = q.batch[1:]
		q.release(id)
		return id, q.batchLen, true
	}
	usedIdx := uint16(get32(q.used, 0) >> 16)
	if usedIdx == q.lastUsed {
		return 0, 0, false
	}
	e := binary.LittleEndian.Uint64(q.used[4+8*(int(q.lastUsed)%q.size):])
	id, length := uint16(e), uint32(e>>32)
	if !q.inOrder {
		if _, out := q.chains[id]; !out {
			q.g.t.Fatalf("the device used %d, which is not outstanding", id)
		}
		q.lastUsed++
		q.release(id)
		return id, length, true
	}
	// The entry may stand for all buffers up to the one it names.
	for len(q.order) > 0 {
		head := q.order[0]
		q.order = q.order[1:]
		q.batch = append(q.batch, head)
		q.lastUsed++
		if head == id {
			q.batchLen = length
			return q.take()
		}
	}
	q.g.t.Fatalf("the device used %d out of order", id)
	return 0, 0, false
}

func (q *splitVQ) release(id uint16) {
	n := q.chains[id]
	delete(q.chains, id)
	q.freeCount += n
	if q.inOrder {
		return
	}
	q.order = nil
	for i := id; ; {
		q.free = append(q.free, i)
		if n--; n == 0 {
			return
		}
		i = binary.LittleEndian.Uint16(q.desc[16*int(i)+14:])
	}
}

func (q *splitVQ) wantInterrupt() {
	if q.eventIdx {
		put32(q.avail, 4+2*q.size, uint32(q.lastUsed))
		return
	}
	q.flags = 0
	q.publish()
}

func (q *splitVQ) noInterrupt() {
	if q.eventIdx {
		put32(q.avail, 4+2*q.size, uint32(q.lastUsed-1))
		return
	}
	q.flags = virtio.AvailNoInterrupt
	q.publish()
}
