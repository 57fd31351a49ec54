package virtq

import (
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// SplitRx is a receive queue on a split ring. It belongs to one goroutine.
//
// Every buffer is one descriptor, so positions, descriptors, entries of the
// avail ring and entries of the used ring keep in step: while the device uses
// buffers in order, all that is written to post a buffer is the address in its
// descriptor.
type SplitRx struct {
	Split
	rx
}

// NewSplitRx makes a receive queue whose buffers come from cache, which belongs
// to the goroutine that will call Burst. Its pool must be bound. *SizeError,
// *MemoryError, *PoolError.
func NewSplitRx(cfg Config, cache *mbuf.Cache) (*SplitRx, error) {
	r := &SplitRx{}
	if err := r.Split.init(&cfg, &r.stats.Kicks); err != nil {
		return nil, err
	}
	if err := r.rx.init(&cfg, cache); err != nil {
		return nil, err
	}
	for i := range r.desc { // length and flags stay what they are
		r.desc[i].meta = uint64(r.room) | splitWrite
	}
	return r, nil
}

// Start says that DRIVER_OK is set: from now on Burst works and the doorbell is
// rung, at once if the device wants to know about the buffers posted so far. id
// is what the low 16 bits of every rung value are.
func (r *SplitRx) Start(bell virtio.Doorbell, id uint16) {
	r.bell, r.bellID, r.running = bell, uint32(id), true
	r.kick()
}

// Burst fills bufs with received packets and returns how many. It never waits.
// The packets are the caller's to free. It refills the ring in bulk, and rings
// the doorbell when the device asks for it.
func (r *SplitRx) Burst(bufs []*mbuf.Buf) int {
	if r.idle() {
		return 0
	}
	n := r.receive(bufs)
	if r.free() >= r.batch {
		r.Refill()
	}
	r.kickLater(n)
	r.repark()
	if r.finish(&r.queue, n, r.count) {
		r.ring(uint32(r.availIdx))
	}
	return n
}

// kickLater looks after the doorbell, for which a full barrier is needed, not
// at every burst: a device that has buffers does not sleep for want of them. It
// does so at the latest when there is nothing else to do.
func (r *SplitRx) kickLater(n int) {
	unkicked := int(r.availIdx - r.kicked)
	starved := unkicked == r.count
	if unkicked >= r.kickAfter || unkicked > 0 && (n == 0 || starved) {
		r.kick()
	}
}

// receive takes packets off the ring.
func (r *SplitRx) receive(bufs []*mbuf.Buf) int {
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
func (r *SplitRx) scan(out []*mbuf.Buf) (int, scanEnd) {
	if r.pending > 0 {
		return 0, scanOdd
	}
	if r.ready == 0 && !r.poll(r.count) {
		return 0, scanEmpty
	}
	at, n := r.head, min(len(out), r.ready, r.size()-r.head)
	n, bytes, end := scanSplit(r.elems[at:][:n], r.id[at:][:n], r.buf[at:][:n], r.whole)
	n, end = r.deliver(&r.slots, out, n, bytes, end)
	r.step(n)
	r.drop(n)
	return n, end
}

// scanSplit looks at entries that the device has put in the used ring, and gives
// their buffers views. It stops at the first that is not in the order the
// buffers were posted, or has a length that cannot be. It returns how many are
// good, the sum of their used lengths, and why it stopped.
func scanSplit(elems []usedElem, ids []uint16, bufs []*mbuf.Buf, w whole) (int, uint64, scanEnd) {
	ids, bufs = ids[:len(elems)], bufs[:len(elems)]
	bytes := uint64(0)
	for i := range elems {
		// The only read of the entry: it may change afterwards, but not to us.
		// The length is used more than once, and so is loaded in a way that the
		// compiler cannot repeat.
		id, used := elems[i].id, load32(&elems[i].len)
		if id != uint32(ids[i]) || used-w.least > w.span {
			return i, bytes, scanOdd
		}
		mbuf.Driver(bufs[i]).Deliver(w.viewOf(uint64(used)))
		bytes += uint64(used)
	}
	return len(elems), bytes, scanMore
}

// odd delivers the next packet that is anything else. It returns nil if there
// is none, or none that is complete.
func (r *SplitRx) odd() *mbuf.Buf {
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
		r.drop(n)
		if b != nil {
			return b
		}
	}
	return nil
}

// collect makes what the next used entry stands for pending. It returns false
// if there is none.
func (r *SplitRx) collect() bool {
	if r.ready == 0 && !r.poll(r.count-r.pending) {
		return false
	}
	limit := r.count - r.pending
	if r.inOrder {
		limit = r.ready // the index tells how many the entry stands for, at most
	}
	e := r.next()
	n := r.accept(&r.queue, &r.slots, e.id, e.len, limit)
	r.step(n)
	return n > 0
}

// Refill posts as many buffers as the ring has room for and the pool has, and
// returns how many. It rings no doorbell.
func (r *SplitRx) Refill() int {
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
	r.publish()
	r.posted.Set(uint64(r.count))
	return posted
}

// post shows the n buffers to the device that were put at position at.
func (r *SplitRx) post(at, n int) {
	ids := r.id[at:][:n]
	bufs := r.buf[at:][:n]
	r.foresee(bufs)
	off := uint64(r.data - r.header)
	for i, id := range ids {
		r.desc[id].addr = mbuf.Driver(bufs[i]).RoomIOVA() + off
	}
	r.show(ids)
	r.count += n
}

// Drain gives every posted buffer back to the pool and returns how many. The
// device must have been reset. The queue is of no use afterwards.
func (r *SplitRx) Drain() int { return r.drain(&r.slots) }
