package virtq

import "github.com/virtio-pmd/virtio-pmd/driver/mbuf"

// sendPacked makes packets available as long as the fast path takes them, up to
// the end of the ring. It returns how many.
func (t *Tx) sendPacked(in []*mbuf.Buf) int {
	at := t.tail()
	n := t.run(at, min(len(in), t.room(), t.size()-at))
	to := at + n
	tag := t.tailFlags | uint64(t.id[at])<<packedIDShift
	var bytes uint64
	n = 0
	if !t.offloads {
		n, bytes = fillPacked(t.desc[at:to:to], in, tag, t.fast)
	}
	if n == 0 {
		n, bytes = t.fillPackedOffload(t.desc[at:to:to], in, tag)
	}
	mbuf.DriverMove(t.buf[at:], in[:n])
	t.enterPacked(n)
	t.countPosted(n, n, bytes)
	return n
}

// fillPacked writes a descriptor for each packet, and stops at the first that
// the fast path does not take. tag has the flags and the buffer ID of the first; buffer
// IDs follow each other. It returns how many, and the sum of the lengths of their frames.
func fillPacked(d []desc, in []*mbuf.Buf, tag uint64, c fastCheck) (int, uint64) {
	in = in[:len(d)]
	bytes := uint64(0)
	for i := range d {
		b := in[i]
		if b == nil || !c.matches(b, mbuf.Driver(b).View()) {
			return i, bytes
		}
		v := mbuf.Driver(b).View()
		off := v.PlainOffset() - headerLen
		zeroHeader(b, off)
		mbuf.Driver(b).Consume()
		d[i].addr = mbuf.Driver(b).RoomIOVA() + uint64(off)
		publish64(&d[i].meta, tag|uint64(v.PlainLen()+headerLen))
		tag += packedNextID
		bytes += uint64(v.PlainLen())
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
	at := t.head
	n := t.run(at, min(t.count, t.size()-at))
	to := at + n
	n = usedInOrder(t.desc[at:to:to], t.headFlags|uint64(t.id[at])<<packedIDShift)
	t.reclaimRun(n)
	t.leavePacked(n)
	return n > 0
}

// usedInOrder returns how many descriptors were used in the order they were made
// available. tag has the flags and the buffer ID of the first; buffer IDs follow each
// other. It compares four descriptors, a cache line, at a time.
func usedInOrder(d []desc, tag uint64) int {
	n := 0
	for ; n+4 <= len(d); n += 4 {
		line := d[n : n+4 : n+4]
		differ := load64(&line[0].meta) ^ tag
		differ |= load64(&line[1].meta) ^ (tag + packedNextID)
		differ |= load64(&line[2].meta) ^ (tag + 2*packedNextID)
		differ |= load64(&line[3].meta) ^ (tag + 3*packedNextID)
		if differ>>packedIDShift != 0 {
			break
		}
		tag += 4 * packedNextID
	}
	for n < len(d) && (load64(&d[n].meta)^tag)>>packedIDShift == 0 {
		n++
		tag += packedNextID
	}
	return n
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
	if t.special == 0 { // with IN_ORDER it may be all packets of a burst
		t.reclaimRuns(d + 1)
		return true
	}
	for d >= 0 {
		n := t.reclaimChain()
		t.leavePacked(n)
		d -= n
	}
	return true
}
