package virtq

import "github.com/virtio-pmd/virtio-pmd/driver/mbuf"

// Every receive buffer is one descriptor, so positions, descriptors, entries of
// the avail ring and entries of the used ring keep in step: while the device
// uses buffers in order, all that is written to post a buffer is the address in
// its descriptor.

// initPostSplit writes what stays the same in all descriptors: length and flags.
func (r *Rx) initPostSplit() {
	for i := range r.desc {
		r.desc[i].meta = uint64(r.room) | splitWrite
	}
}

// nextSplitWord returns the word that has the used index, what it holds, and whether
// the device has not used the next buffer yet.
func (r *Rx) nextSplitWord() (word *uint32, now uint32, unused bool) {
	now = load32(r.usedWord)
	return r.usedWord, now, uint16(now>>splitIdxShift) == r.usedIdx
}

// receiveSplit delivers packets as long as they pass the fast-path check, up to
// the end of the ring. It returns how many, and why it stopped.
func (r *Rx) receiveSplit(out []*mbuf.Buf) (int, scanEnd) {
	if r.ready == 0 && !r.poll(r.count) {
		return 0, scanEmpty
	}
	at := r.head
	n := r.run(at, min(len(out), r.ready, r.size()-at))
	to := at + n
	n, bytes, end := scanSplit(out[:n], r.elems[at:to:to], r.buf[at:to:to], uint32(r.id[at]), r.fast)
	if r.mergeable {
		n, bytes, end = r.onlySingles(n, bytes, end)
	}
	r.countReceived(n, bytes)
	r.step(n)
	r.drop(n)
	return n, end
}

// scanSplit reads entries that the device has put in the used ring, gives their buffers
// views and moves them to out. next is the identifier of the first, used in order; identifiers
// follow each other. It stops at the first that is not in the order the buffers were
// posted, or has an invalid length. It returns how many are good, the sum of their used
// lengths, and why it stopped.
func scanSplit(
	out []*mbuf.Buf, elems []usedElem, bufs []*mbuf.Buf, next uint32, c lengthCheck,
) (int, uint64, scanEnd) {
	bufs, out = bufs[:len(elems)], out[:len(elems)]
	bytes := uint64(0)
	for i := range elems {
		// The only read of the entry: the device may change it afterwards. The
		// length is used more than once, and so is loaded in a way that the
		// compiler cannot repeat.
		id, used := elems[i].id, load32(&elems[i].len)
		if id != next || used-c.least > c.span {
			return i, bytes, scanSlow
		}
		b := bufs[i]
		out[i] = b
		mbuf.Driver(b).Deliver(c.viewOf(uint64(used)))
		bytes += uint64(used)
		next++
	}
	return len(elems), bytes, scanMore
}

// collectSplit makes pending what the next used entry stands for. It returns
// false if there is none.
func (r *Rx) collectSplit() bool {
	if r.ready == 0 && !r.poll(r.count-r.pending) {
		return false
	}
	limit := r.count - r.pending
	if r.inOrder {
		limit = r.ready // the used index says how many the entry stands for, at most
	}
	e := r.next()
	n := r.consumeUsed(e.id, e.len, limit)
	r.step(n)
	return n > 0
}

// postSplit puts the n buffers into the avail ring that were put at position at, whose
// identifiers follow each other.
func (r *Rx) postSplit(at, n int) {
	id := int(r.id[at])
	d, bufs := r.desc[id:][:n], r.buf[at:][:n]
	off := uint64(r.data - r.header)
	for i := range d {
		d[i].addr = mbuf.Driver(bufs[i]).RoomIOVA() + off
	}
	r.fillAvail(r.id[at:][:n])
	r.count += n
}
