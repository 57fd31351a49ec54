package virtq

// isSpecial reports whether the packet that was sent at a position is more than
// one buffer of the cache's pool in one descriptor.
func (t *Tx) isSpecial(at int) bool {
	return t.chain[at] > 1 || t.buf[at].Next() != nil || t.buf[at].Pool() != t.cache.Pool()
}

// Reclaim takes back at once what the device has used, and returns how many
// buffers that are. Burst does so by itself when the ring fills up; a queue that
// sends nothing for a while keeps what it sent last, which matters to a small
// pool.
func (t *Tx) Reclaim() int {
	if t.idle() {
		return 0
	}
	t.moved = 0
	before := t.bufs
	t.reclaim()
	t.look()
	t.posted.Set(uint64(t.bufs))
	return before - t.bufs
}

// reclaim takes back what the device has used: runs of single buffers of the
// cache's pool with a loop for each format, the others one by one.
func (t *Tx) reclaim() {
	special := t.special
	if t.packed {
		t.reclaimPacked()
	} else {
		t.reclaimSplit()
	}
	if special > 0 {
		t.cache.GiveForeign()
		t.limitPositions()
	}
}

// reclaimRun frees the n packets at head, which are one buffer of the cache's
// pool each.
func (t *Tx) reclaimRun(n int) {
	t.cache.Give(t.buf[t.head:][:n])
	t.bufs -= n
}

// reclaimRuns frees the n packets at head, which are one buffer of the cache's pool
// each and may lie across the end of the ring, and takes them out of the window.
func (t *Tx) reclaimRuns(n int) {
	for n > 0 {
		k := min(n, t.size()-t.head)
		t.reclaimRun(k)
		t.leave(k)
		n -= k
	}
}

// reclaimChain frees the packet at head, which the device has used, and returns
// the number of its descriptors.
func (t *Tx) reclaimChain() int {
	if t.isSpecial(t.head) {
		t.special--
	}
	t.bufs -= t.cache.GiveChain(t.buf[t.head])
	return t.end()
}

// countUsedLengths counts used lengths that are not 0: the device only reads.
func (t *Tx) countUsedLengths(seen uint32) {
	if seen != 0 {
		t.stats.UsedLengths.Add(1)
	}
}
