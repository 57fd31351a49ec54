package virtq

import "github.com/virtio-pmd/virtio-pmd/driver/mbuf"

// sendSplit puts packets into the avail ring as long as the fast path takes
// them, up to the end of the ring. It returns how many.
func (t *Tx) sendSplit(in []*mbuf.Buf) int {
	at := t.tail()
	n := t.run(at, min(len(in), t.room(), t.size()-at))
	d := t.desc[t.id[at]:][:n]
	var bytes uint64
	n = 0
	if !t.offloads {
		n, bytes = fillSplit(d, in, t.fast)
	}
	if n == 0 {
		n, bytes = t.fillSplitOffload(d, in)
	}
	mbuf.DriverMove(t.buf[at:], in[:n])
	t.fillAvail(t.id[at:][:n])
	t.count += n
	t.countPosted(n, n, bytes)
	return n
}

// fillSplit writes a descriptor for each packet, and stops at the first that the
// fast path does not take. It returns how many, and the sum of the lengths of
// their frames.
func fillSplit(d []desc, in []*mbuf.Buf, c fastCheck) (int, uint64) {
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
		d[i] = desc{
			addr: mbuf.Driver(b).RoomIOVA() + uint64(off),
			meta: uint64(v.PlainLen() + headerLen),
		}
		bytes += uint64(v.PlainLen())
	}
	return len(d), bytes
}

// reclaimSplit takes back what the device has used.
func (t *Tx) reclaimSplit() {
	for t.ready > 0 || t.poll(t.chains()) {
		if !t.reclaimFastSplit() && !t.reclaimSlowSplit() {
			break
		}
	}
	t.deferUsedEvent()
}

// reclaimFastSplit takes back packets of one buffer that were used in order, up
// to the end of the ring. It returns false if there were none.
func (t *Tx) reclaimFastSplit() bool {
	if t.special > 0 {
		return false
	}
	from := int(t.usedIdx) & t.mask
	n := min(t.ready, t.size()-t.head, t.size()-from)
	if !t.inOrder { // with IN_ORDER the used index is enough (2.7.9)
		elems := t.elems[from:][:t.run(t.head, n)]
		next := uint32(t.id[t.head])
		var written uint32
		n = 0
		for i := range elems {
			if elems[i].id != next {
				break
			}
			written |= elems[i].len
			n++
			next++
		}
		t.countUsedLengths(written)
	}
	t.reclaimRun(n)
	t.step(n)
	t.drop(n)
	return n > 0
}

// reclaimSlowSplit takes back the chain that the next used entry names: one of
// several descriptors, or of another pool, or used out of order. It returns
// false if the entry names none, or if the burst has done enough.
func (t *Tx) reclaimSlowSplit() bool {
	if t.moved > maxMoved {
		return false
	}
	if !t.inOrder {
		e := t.next()
		id := e.id
		t.countUsedLengths(e.len)
		d := t.distance(id, t.head, t.count)
		if d < 0 {
			t.fail(notOutstanding, uint64(id), uint64(t.size()))
			return false
		}
		if d > 0 {
			t.moved += t.toFront(t.head, d)
		}
	}
	t.step(1)
	t.drop(t.reclaimChain())
	return true
}
