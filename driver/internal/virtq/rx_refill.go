package virtq

// Refill posts as many buffers as the ring has room for and the pool has, and
// returns how many. It rings no doorbell.
func (r *Rx) Refill() int {
	if r.finished() {
		return 0
	}
	posted := 0
	for want := r.free(); posted < want; {
		at := r.tail()
		n := r.run(at, min(want-posted, r.size()-at))
		got := r.cache.Take(r.buf[at : at+n])
		r.taken = uint32(got)
		r.presetNumBuffers(r.buf[at:][:got])
		if r.packed {
			r.postPacked(at, got)
		} else {
			r.postSplit(at, got)
		}
		r.taken = 0
		posted += got
		if got < n {
			r.stats.NoMbuf.Add(1)
			break
		}
	}
	if !r.packed { // a packed descriptor is published by the store of its flags
		r.publishSplit()
	}
	r.posted.Set(uint64(r.count))
	return posted
}
