package virtq

import (
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// PackedRx is a receive queue on a packed ring. It belongs to one goroutine.
type PackedRx struct {
	Packed
	rx
}

// NewPackedRx makes a receive queue whose buffers come from cache, which
// belongs to the goroutine that will call Burst. Its pool must be bound.
// *SizeError, *MemoryError, *PoolError.
func NewPackedRx(cfg Config, cache *mbuf.Cache) (*PackedRx, error) {
	r := &PackedRx{}
	if err := r.Packed.init(&cfg, &r.stats.Kicks); err != nil {
		return nil, err
	}
	if err := r.rx.init(&cfg, cache); err != nil {
		return nil, err
	}
	return r, nil
}

// Start says that DRIVER_OK is set: from now on Burst works and the doorbell is
// rung, at once if the device wants to know about the buffers posted so far. id
// is what the low 16 bits of every rung value are.
func (r *PackedRx) Start(bell virtio.Doorbell, id uint16) {
	r.bell, r.bellID, r.running = bell, uint32(id), true
	r.kick()
}

// Burst fills bufs with received packets and returns how many. It never waits.
// The packets are the caller's to free. It refills the ring in bulk, and rings
// the doorbell when the device asks for it.
func (r *PackedRx) Burst(bufs []*mbuf.Buf) int {
	if r.idle() {
		return 0
	}
	n := r.receive(bufs)
	if r.free() >= r.batch {
		r.Refill()
	}
	r.kickLater(n)
	if r.finish(&r.queue, n, r.count) {
		r.ring(position(r.tail(), r.tailFlags == packedAvail))
	}
	return n
}

// kickLater looks after the doorbell, for which a full barrier is needed, not
// at every burst: a device that has buffers does not sleep for want of them. It
// does so at the latest when there is nothing else to do.
func (r *PackedRx) kickLater(n int) {
	starved := r.unkicked == r.count
	if r.unkicked >= r.kickAfter || r.unkicked > 0 && (n == 0 || starved) {
		r.kick()
	}
}

// receive takes packets off the ring.
func (r *PackedRx) receive(bufs []*mbuf.Buf) int {
	n := 0
	for n < len(bufs) {
		got, end := r.scan(bufs[n:])
		n += got
		if end == scanEmpty {
			break
		}
		if end == scanOdd {
			if bufs[n] = r.odd(); bufs[n] == nil {
				break
			}
			n++
		}
	}
	return n
}

// scan delivers packets as long as they are what nearly all are, up to the end
// of the ring. It returns how many, and why it stopped.
func (r *PackedRx) scan(out []*mbuf.Buf) (int, scanEnd) {
	if r.pending > 0 {
		return 0, scanOdd
	}
	at, n := r.head, min(len(out), r.count, r.size()-r.head)
	if n == 0 {
		return 0, scanEmpty
	}
	n, bytes, end := scanPacked(r.desc[at:][:n], r.id[at:][:n], r.buf[at:][:n], r.headFlags, r.whole)
	n, end = r.deliver(&r.slots, out, n, bytes, end)
	r.leave(n)
	return n, end
}

// scanPacked looks at descriptors that the device may have used, and gives
// their buffers views. It stops at the first that is not used, or not in the
// order they were posted, or has a length that cannot be. It returns how many
// are good, the sum of their used lengths, and why it stopped.
func scanPacked(d []desc, ids []uint16, bufs []*mbuf.Buf, used uint64, w whole) (int, uint64, scanEnd) {
	ids, bufs = ids[:len(d)], bufs[:len(d)]
	bytes := uint64(0)
	for i := range d {
		// The only read of the descriptor: whose it is, which buffer and how
		// much of it was used are all taken from this one value.
		meta := load64(&d[i].meta)
		tag := used | uint64(ids[i])<<packedIDShift
		if meta&packedTag != tag || uint32(meta)-w.least > w.span {
			if meta&packedState != used {
				return i, bytes, scanEmpty
			}
			return i, bytes, scanOdd
		}
		mbuf.Driver(bufs[i]).Deliver(w.viewOf(meta))
		bytes += uint64(uint32(meta))
	}
	return len(d), bytes, scanMore
}

// odd delivers the next packet that is anything else. It returns nil if there
// is none, or none that is complete.
func (r *PackedRx) odd() *mbuf.Buf {
	for !r.idle() {
		b, n := r.assemble(&r.queue, &r.slots)
		if n == 0 {
			if !r.collect() {
				r.missing(&r.queue, &r.slots)
				return nil
			}
			continue
		}
		r.pending -= n
		r.leave(n)
		if b != nil {
			return b
		}
	}
	return nil
}

// collect makes the next used descriptor pending. It returns false if there is
// none.
func (r *PackedRx) collect() bool {
	limit := r.count - r.pending
	if limit == 0 {
		return false
	}
	at, flags := r.head+r.pending, r.headFlags
	if at >= r.size() {
		at, flags = at-r.size(), flags^packedState
	}
	meta := load64(&r.desc[at].meta)
	if meta&packedState != flags {
		return false
	}
	if meta&packedReserved != 0 {
		r.stats.FlagErrors.Add(1)
	}
	return r.accept(&r.queue, &r.slots, packedID(meta), uint32(meta), limit) > 0
}

// Refill posts as many buffers as the ring has room for and the pool has, and
// returns how many. It rings no doorbell.
func (r *PackedRx) Refill() int {
	if r.finished() {
		return 0
	}
	posted := 0
	for want := r.free(); posted < want; {
		at := r.tail()
		n := min(want-posted, r.size()-at)
		got := r.cache.Take(r.buf[at : at+n])
		r.post(at, got)
		posted += got
		if got < n {
			r.stats.NoMbuf.Add(1)
			break
		}
	}
	r.posted.Set(uint64(r.count))
	return posted
}

// post makes the n buffers available that were put at position at.
func (r *PackedRx) post(at, n int) {
	d := r.desc[at:][:n]
	ids := r.id[at:][:n]
	bufs := r.buf[at:][:n]
	r.foresee(bufs)
	off := uint64(r.data - r.header)
	meta := uint64(r.room) | packedWrite | r.tailFlags
	for i := range d {
		d[i].addr = mbuf.Driver(bufs[i]).RoomIOVA() + off
		publish64(&d[i].meta, meta|uint64(ids[i])<<packedIDShift)
	}
	r.enter(n)
}

// Drain gives every posted buffer back to the pool and returns how many. The
// device must have been reset. The queue is of no use afterwards.
func (r *PackedRx) Drain() int {
	return r.drain(&r.slots)
}
