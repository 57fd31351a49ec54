package virtq

import (
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// SplitTx is a transmit queue on a split ring. It belongs to one goroutine.
type SplitTx struct {
	Split
	tx
}

// NewSplitTx makes a transmit queue that gives what was sent to cache, which
// belongs to the goroutine that will call Burst. Its pool must be bound.
// *SizeError, *SegmentsError, *MemoryError, *PoolError.
func NewSplitTx(cfg Config, cache *mbuf.Cache) (*SplitTx, error) {
	t := &SplitTx{}
	if err := t.Split.init(&cfg, &t.stats.Kicks); err != nil {
		return nil, err
	}
	if err := t.tx.init(&cfg, t.layout, cache); err != nil {
		return nil, err
	}
	return t, nil
}

// Start says that DRIVER_OK is set: from now on Burst works and the doorbell is
// rung. id is what the low 16 bits of every rung value are.
func (t *SplitTx) Start(bell virtio.Doorbell, id uint16) {
	t.bell, t.bellID, t.running = bell, uint32(id), true
}

// Burst takes packets from the front of bufs, returns how many, and frees them
// some time after the device has sent them. The rest stays the caller's. It
// never waits. A packet that cannot be sent at all is taken too: it is counted
// in the statistics and freed.
func (t *SplitTx) Burst(bufs []*mbuf.Buf) int {
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
	if t.availIdx != t.kicked {
		t.publishAndKick()
	}
	if t.finish(&t.queue, n, len(bufs)) {
		t.ring(uint32(t.availIdx))
	}
	return n
}

// send shows packets to the device as long as they are what nearly all are, up
// to the end of the ring. It returns how many.
func (t *SplitTx) send(in []*mbuf.Buf) int {
	at := t.tail()
	n := min(len(in), t.free(), t.size()-at)
	ids := t.id[at:][:n]
	n, bytes := sendSplit(t.desc, ids, in, t.plain)
	copy(t.buf[at:], in[:n])
	t.show(ids[:n])
	t.count += n
	t.took(n, n, bytes)
	return n
}

// sendSplit writes a descriptor for each packet that is one buffer of the usual
// pool with room for the header in front, and stops at the first that is not. It
// returns how many, and the sum of the lengths of their frames.
func sendSplit(d []desc, ids []uint16, in []*mbuf.Buf, p plain) (int, uint64) {
	in = in[:len(ids)]
	bytes := uint64(0)
	for i, id := range ids {
		b := in[i]
		v := mbuf.Driver(b).View()
		if !p.matches(b, v) {
			return i, bytes
		}
		off := v.Offset() - headerLen
		blankHeader(b, off)
		mbuf.Driver(b).Consume()
		d[id] = desc{addr: mbuf.Driver(b).RoomIOVA() + uint64(off), meta: uint64(v.Len() + headerLen)}
		bytes += uint64(v.Len())
	}
	return len(ids), bytes
}

// sendOdd sends a packet that is anything else. It returns false if there is no
// room for it now.
func (t *SplitTx) sendOdd(b *mbuf.Buf) bool {
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

// chains returns how many chains the device has.
func (t *SplitTx) chains() int { return int(t.availIdx - t.usedIdx) }

// Reclaim takes back at once what the device has used, and returns how many
// buffers that are. Burst does so by itself when the ring fills up; a queue that
// sends nothing for a while keeps what it sent last, which matters to a small
// pool.
func (t *SplitTx) Reclaim() int {
	if t.idle() {
		return 0
	}
	before := t.bufs
	t.reclaim()
	t.posted.Set(uint64(t.bufs))
	return before - t.bufs
}

// reclaim takes back what the device has used.
func (t *SplitTx) reclaim() {
	for t.ready > 0 || t.poll(t.chains()) {
		if !t.reclaimRun() && !t.reclaimOdd() {
			break
		}
	}
	t.repark()
}

// reclaimRun takes back packets of one buffer that were used in order, up to
// the end of the ring. It returns false if there were none.
func (t *SplitTx) reclaimRun() bool {
	if t.special > 0 {
		return false
	}
	from := int(t.usedIdx) & t.mask
	n := min(t.ready, t.size()-t.head, t.size()-from)
	if !t.inOrder { // with IN_ORDER the index says it all (2.7.9)
		elems := t.elems[from:][:n]
		ids := t.id[t.head:][:n]
		var written uint32
		n = 0
		for i := range elems {
			if elems[i].id != uint32(ids[i]) {
				break
			}
			written |= elems[i].len
			n++
		}
		t.oddLengths(written)
	}
	t.cache.Give(t.buf[t.head:][:n])
	t.bufs -= n
	t.step(n)
	t.drop(n)
	return n > 0
}

// reclaimOdd takes back the chain that the next used entry names: one of
// several descriptors, or of another pool, or used out of order. It returns
// false if the device names none.
func (t *SplitTx) reclaimOdd() bool {
	if !t.inOrder {
		e := t.next()
		id := e.id
		t.oddLengths(e.len)
		d := t.distance(id, t.head, t.count)
		if d < 0 {
			t.fail(notOutstanding, uint64(id), uint64(t.size()))
			return false
		}
		if d > 0 {
			t.toFront(t.head, d)
		}
	}
	t.step(1)
	t.drop(t.giveBack(&t.slots))
	return true
}

// SetCache makes the queue give its buffers to another cache, of a pool that
// was added, so that the queues of a goroutine share one. *PoolError.
func (t *SplitTx) SetCache(c *mbuf.Cache) error { return t.setCache(&t.slots, c) }

// Drain gives every posted buffer back to its pool and returns how many. The
// device must have been reset. The queue is of no use afterwards.
func (t *SplitTx) Drain() int { return t.drain(&t.slots) }
