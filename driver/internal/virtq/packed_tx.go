package virtq

import "github.com/virtio-pmd/virtio-pmd/driver/mbuf"

// sendPacked makes packets available as long as the fast path takes them, up to
// the end of the ring. It returns how many.
func (t *Tx) sendPacked(in []*mbuf.Buf) int {
	at := t.tail()
	n := min(len(in), t.room(), t.size()-at)
	to := at + n
	n, bytes := fillPacked(t.desc[at:to:to], t.id[at:to:to], in, t.tailFlags, t.fast)
	copy(t.buf[at:], in[:n])
	t.enterPacked(n)
	t.countPosted(n, n, bytes)
	return n
}

// fillPacked writes a descriptor for each packet, and stops at the first that
// the fast path does not take. It returns how many, and the sum of the lengths
// of their frames.
func fillPacked(d []desc, ids []uint16, in []*mbuf.Buf, avail uint64, c fastCheck) (int, uint64) {
	ids, in = ids[:len(d)], in[:len(d)]
	bytes := uint64(0)
	for i := range d {
		b := in[i]
		if b == nil || !c.matches(b, mbuf.Driver(b).View()) {
			return i, bytes
		}
		v := mbuf.Driver(b).View()
		off := v.Offset() - headerLen
		zeroHeader(b, off)
		mbuf.Driver(b).Consume()
		d[i].addr = mbuf.Driver(b).RoomIOVA() + uint64(off)
		publish64(&d[i].meta, uint64(v.Len()+headerLen)|uint64(ids[i])<<packedIDShift|avail)
		bytes += uint64(v.Len())
	}
	return len(d), bytes
}

// reclaimPacked takes back what the device has used.
func (t *Tx) reclaimPacked() {
	for t.reclaimFastPacked() || t.reclaimSlowPacked() {
	}
}

// reclaimFastPacked takes back packets of one buffer that were used in order, up
// to the end of the ring. It returns false if there were none.
func (t *Tx) reclaimFastPacked() bool {
	if t.special > 0 {
		return false
	}
	n := min(t.count, t.size()-t.head)
	at, to := t.head, t.head+n
	n = usedInOrder(t.desc[at:to:to], t.id[at:to:to], t.headFlags)
	t.reclaimRun(n)
	t.leavePacked(n)
	return n > 0
}

// usedInOrder returns how many descriptors were used in the order they were made
// available.
func usedInOrder(d []desc, ids []uint16, used uint64) int {
	ids = ids[:len(d)]
	for i := range d {
		if load64(&d[i].meta)>>packedIDShift != used>>packedIDShift|uint64(ids[i]) {
			return i
		}
	}
	return len(d)
}

// reclaimSlowPacked takes back what the next used descriptor stands for: a
// chain, a buffer of another pool, one that was used out of order, or with
// IN_ORDER everything up to one. It returns false if there is none, or if the burst has
// done enough.
func (t *Tx) reclaimSlowPacked() bool {
	if t.count == 0 || t.moved > maxMoved || t.idle() {
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
		t.countUsedLengths(uint32(meta))
	}
	id := packedID(meta)
	d := t.distance(id, t.head, t.count)
	if d < 0 {
		t.fail(notOutstanding, uint64(id), uint64(t.size()))
		return false
	}
	if d > 0 && !t.inOrder {
		t.moved += t.toFront(t.head, d)
		d = 0
	}
	for d >= 0 {
		n := t.reclaimChain()
		t.leavePacked(n)
		d -= n
	}
	return true
}
