package virtq

import (
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// PackedTx is a transmit queue on a packed ring. It belongs to one goroutine.
type PackedTx struct {
	Packed
	tx
}

// NewPackedTx makes a transmit queue that gives what was sent to cache, which
// belongs to the goroutine that will call Burst. Its pool must be bound.
// *SizeError, *SegmentsError, *MemoryError, *PoolError.
func NewPackedTx(cfg Config, cache *mbuf.Cache) (*PackedTx, error) {
	t := &PackedTx{}
	if err := t.Packed.init(&cfg, &t.stats.Kicks); err != nil {
		return nil, err
	}
	if err := t.tx.init(&cfg, t.layout, cache); err != nil {
		return nil, err
	}
	return t, nil
}

// Start says that DRIVER_OK is set: from now on Burst works and the doorbell is
// rung. id is what the low 16 bits of every rung value are.
func (t *PackedTx) Start(bell virtio.Doorbell, id uint16) {
	t.bell, t.bellID, t.running = bell, uint32(id), true
}

// Burst takes packets from the front of bufs, returns how many, and frees them
// some time after the device has sent them. The rest stays the caller's. It
// never waits. A packet that cannot be sent at all is taken too: it is counted
// in the statistics and freed.
func (t *PackedTx) Burst(bufs []*mbuf.Buf) int {
	if t.idle() {
		return 0
	}
	if t.free() < max(t.low, len(bufs)) {
		t.reclaim()
	}
	n := 0
	for n < len(bufs) {
		sent := t.send(bufs[n:])
		n += sent
		if sent == 0 {
			if !t.sendOdd(bufs[n]) {
				break
			}
			n++
		}
	}
	if t.unkicked > 0 {
		t.kick()
	}
	if t.finish(&t.queue, n, len(bufs)) {
		t.ring(position(t.tail(), t.tailFlags == packedAvail))
	}
	return n
}

// send makes packets available as long as they are what nearly all are, up to
// the end of the ring. It returns how many.
func (t *PackedTx) send(in []*mbuf.Buf) int {
	at := t.tail()
	n := min(len(in), t.free(), t.size()-at)
	n, bytes := sendPacked(t.desc[at:][:n], t.id[at:][:n], in, t.tailFlags, t.plain)
	copy(t.buf[at:], in[:n])
	t.enter(n)
	t.took(n, n, bytes)
	return n
}

// sendPacked writes a descriptor for each packet that is one buffer of the usual
// pool with room for the header in front, and stops at the first that is not. It
// returns how many, and the sum of the lengths of their frames.
func sendPacked(d []desc, ids []uint16, in []*mbuf.Buf, avail uint64, p plain) (int, uint64) {
	ids, in = ids[:len(d)], in[:len(d)]
	bytes := uint64(0)
	for i := range d {
		b := in[i]
		v := mbuf.Driver(b).View()
		if !p.matches(b, v) {
			return i, bytes
		}
		off := v.Offset() - headerLen
		blankHeader(b, off)
		mbuf.Driver(b).Consume()
		d[i].addr = mbuf.Driver(b).RoomIOVA() + uint64(off)
		publish64(&d[i].meta, uint64(v.Len()+headerLen)|uint64(ids[i])<<packedIDShift|avail)
		bytes += uint64(v.Len())
	}
	return len(d), bytes
}

// sendOdd sends a packet that is anything else. It returns false if there is no
// room for it now.
func (t *PackedTx) sendOdd(b *mbuf.Buf) bool {
	if t.idle() || t.free() == 0 {
		return false
	}
	if why := t.gather(b); why != nil {
		t.discard([]*mbuf.Buf{b}, why)
		return true
	}
	need := needs(len(t.segs), t.segments)
	if need > t.free() {
		t.reclaim()
		if t.idle() || need > t.free() {
			return false
		}
	}
	at := t.tail()
	t.put(b, t.segs, len(t.segs))
	t.tookOdd(&t.slots, at)
	return true
}

// Reclaim takes back at once what the device has used, and returns how many
// buffers that are. Burst does so by itself when the ring fills up; a queue that
// sends nothing for a while keeps what it sent last, which matters to a small
// pool.
func (t *PackedTx) Reclaim() int {
	if t.idle() {
		return 0
	}
	before := t.bufs
	t.reclaim()
	t.posted.Set(uint64(t.bufs))
	return before - t.bufs
}

// reclaim takes back what the device has used.
func (t *PackedTx) reclaim() {
	for t.reclaimRun() || t.reclaimOdd() {
	}
}

// reclaimRun takes back packets of one buffer that were used in order, up to
// the end of the ring. It returns false if there were none.
func (t *PackedTx) reclaimRun() bool {
	if t.special > 0 {
		return false
	}
	n := min(t.count, t.size()-t.head)
	d := t.desc[t.head:][:n]
	ids := t.id[t.head:][:n]
	n = reclaimPacked(d, ids, t.headFlags)
	t.cache.Give(t.buf[t.head:][:n])
	t.bufs -= n
	t.leave(n)
	return n > 0
}

// reclaimPacked returns how many descriptors were used in the order they were
// made available.
func reclaimPacked(d []desc, ids []uint16, used uint64) int {
	ids = ids[:len(d)]
	for i := range d {
		if load64(&d[i].meta)>>packedIDShift != used>>packedIDShift|uint64(ids[i]) {
			return i
		}
	}
	return len(d)
}

// reclaimOdd takes back what the next used descriptor stands for: a chain, a
// buffer of another pool, one that was used out of order, or with IN_ORDER
// everything up to one. It returns false if there is none.
func (t *PackedTx) reclaimOdd() bool {
	if t.count == 0 || t.idle() {
		return false
	}
	meta := load64(&t.desc[t.head].meta)
	if meta&packedState != t.headFlags {
		return false
	}
	if meta&packedReserved != 0 {
		t.stats.FlagErrors.Add(1)
	}
	if meta&packedWrite != 0 { // only then the length means anything (2.8.4)
		t.oddLengths(uint32(meta))
	}
	id := packedID(meta)
	d := t.distance(id, t.head, t.count)
	if d < 0 {
		t.fail(notOutstanding, uint64(id), uint64(t.size()))
		return false
	}
	if d > 0 && !t.inOrder {
		t.toFront(t.head, d)
		d = 0
	}
	for d >= 0 {
		n := t.giveBack(&t.slots)
		t.leave(n)
		d -= n
	}
	return true
}

// SetCache makes the queue give its buffers to another cache, of a pool that
// was added, so that the queues of a goroutine share one. *PoolError.
func (t *PackedTx) SetCache(c *mbuf.Cache) error { return t.setCache(&t.slots, c) }

// Drain gives every posted buffer back to its pool and returns how many. The
// device must have been reset. The queue is of no use afterwards.
func (t *PackedTx) Drain() int { return t.drain(&t.slots) }
