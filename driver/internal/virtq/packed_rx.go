package virtq

import "github.com/virtio-pmd/virtio-pmd/driver/mbuf"

// nextPackedWord returns the half of the next descriptor that has its flags, what it
// holds, and whether the device has not used the buffer yet.
func (r *Rx) nextPackedWord() (word *uint32, now uint32, unused bool) {
	word = upperHalf(&r.desc[r.head].meta)
	now = load32(word)
	return word, now, uint64(now)<<packedIDShift&packedState != r.headFlags
}

// receivePacked delivers packets as long as they pass the fast-path check, up to
// the end of the ring. It returns how many, and why it stopped.
func (r *Rx) receivePacked(out []*mbuf.Buf) (int, scanEnd) {
	at := r.head
	n := r.run(at, min(len(out), r.count, r.size()-at))
	if n == 0 {
		return 0, scanEmpty
	}
	to := at + n // also the capacity, which then has not to be computed
	tag := r.headFlags | uint64(r.id[at])<<packedIDShift
	n, bytes, end := scanPacked(out[:n], r.desc[at:to:to], r.buf[at:to:to], tag, r.fast)
	if r.mergeable {
		n, bytes, end = r.onlySingles(n, bytes, end)
	}
	r.countReceived(n, bytes)
	r.leavePacked(n)
	return n, end
}

// scanPacked reads descriptors that the device may have used, gives their buffers
// views and moves them to out. tag is that of the first, used in order; buffer IDs
// follow each other. It stops at the first that is not used, or not in the order they
// were posted, or has an invalid length. It returns how many are good, the sum of
// their used lengths, and why it stopped.
func scanPacked(
	out []*mbuf.Buf, d []desc, bufs []*mbuf.Buf, tag uint64, c lengthCheck,
) (int, uint64, scanEnd) {
	bufs, out = bufs[:len(d)], out[:len(d)]
	bytes := uint64(0)
	for i := range d {
		// The only read of the descriptor: its state, which buffer it is and how
		// much of it was used are all taken from this one value.
		meta := load64(&d[i].meta)
		if meta&packedTag != tag || uint32(meta)-c.least > c.span {
			if meta&packedState != tag&packedState {
				return i, bytes, scanEmpty
			}
			return i, bytes, scanSlow
		}
		b := bufs[i]
		out[i] = b
		mbuf.Driver(b).Deliver(c.viewOf(meta))
		bytes += uint64(uint32(meta))
		tag += packedNextID
	}
	return len(d), bytes, scanMore
}

// collectPacked makes pending what the next used descriptor stands for. It
// returns false if there is none.
func (r *Rx) collectPacked() bool {
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
	return r.consumeUsed(packedID(meta), uint32(meta), limit) > 0
}

// postPacked makes available the n buffers that were put at position at, whose
// buffer IDs follow each other.
func (r *Rx) postPacked(at, n int) {
	to := at + n
	d, bufs := r.desc[at:to:to], r.buf[at:to:to]
	off := uint64(r.data - r.header)
	meta := uint64(r.room) | packedWrite | uint64(r.id[at])<<packedIDShift | r.tailFlags
	for i := range d {
		d[i].addr = mbuf.Driver(bufs[i]).RoomIOVA() + off
		publish64(&d[i].meta, meta)
		meta += packedNextID
	}
	r.enterPacked(n)
}
