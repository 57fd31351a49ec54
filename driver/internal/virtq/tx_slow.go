package virtq

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/stat"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// sendChains sends the first packet by sendSlow, and those after it that are of several
// segments and have to take that way as well. It returns how many.
func (t *Tx) sendChains(in []*mbuf.Buf) int {
	for i, b := range in {
		if i > 0 && (b == nil || b.Next() == nil) || !t.sendSlow(b) {
			return i
		}
	}
	return len(in)
}

// sendSlow sends a packet of any segments and any attached pools. It returns false
// if there is no room for it now.
func (t *Tx) sendSlow(b *mbuf.Buf) bool {
	if t.idle() || t.room() == 0 {
		return false
	}
	why := t.gather(b)
	if why == nil && mbuf.Driver(b).Request() != nil {
		return t.sendRequest(b)
	}
	if why == nil {
		why = t.checkLength(b, t.total)
	}
	if why != nil {
		t.discard(b, why)
		return true
	}
	return t.postSlow(b)
}

// postSlow makes a packet available of which t.segs are the descriptors. It returns
// false if there is no room for it now.
func (t *Tx) postSlow(b *mbuf.Buf) bool {
	need := needs(len(t.segs), t.indirectSize)
	if !t.fits(need) {
		t.reclaim()
		if t.idle() || !t.fits(need) {
			return false
		}
	}
	at := t.tail()
	t.put(b, t.segs, len(t.segs))
	t.countPostedSlow(at)
	return true
}

// fits reports whether there is room for t.segs, which take need descriptors. A packet
// that is more than the limit goes alone.
func (t *Tx) fits(need int) bool {
	return need <= t.free() && (t.bufs == 0 || t.bufs+len(t.segs) <= t.limit)
}

// gather makes t.segs the descriptors of the packet that begins with b. It
// returns the counter of what is wrong with it, nil if nothing is.
func (t *Tx) gather(b *mbuf.Buf) *stat.Counter {
	t.segs = t.segs[:0]
	first := b
	total, walked := uint64(0), 0
	if b == nil {
		return &t.stats.OwnerDrops
	}
	for ; b != nil; b = b.Next() {
		walked++
		switch {
		case walked > maxWalk:
			return &t.stats.ChainDrops
		case !mbuf.Driver(b).Held():
			return &t.stats.OwnerDrops
		case !t.reaches(b.Pool()):
			return &t.stats.PoolDrops
		case b == first:
			t.begin(b)
		case b.Len() > 0: // an empty segment needs no descriptor
			t.segs = append(t.segs, Segment{mbuf.Driver(b).IOVA(), mbuf.Driver(b).View().Len()})
		}
		if len(t.segs) > t.maxSegs {
			return &t.stats.ChainDrops
		}
		total += uint64(b.Len())
	}
	if total < minFrame || total > unlimitedSpan {
		return &t.stats.LengthDrops
	}
	t.total = int(total)
	return nil
}

// unlimitedSpan is the span of a queue without a longest frame, more than fits a ring.
// With the mark of a request, a length is longer.
const unlimitedSpan = 1 << 30

// checkLength returns the counter of frames of so many bytes that begin with b, if they
// are too long to be sent.
func (t *Tx) checkLength(b *mbuf.Buf, n int) *stat.Counter {
	most := int(t.fast.span) + minFrame
	if tagged(b.Data()) {
		most += vlanTag
	}
	if n > most {
		return &t.stats.LengthDrops
	}
	return nil
}

// vlanTag is what a VLAN tag adds to the header in front of the MTU's bytes.
const vlanTag = 4

// tagged reports whether a frame has a VLAN tag (IEEE 802.1Q or 802.1ad).
func tagged(frame []byte) bool {
	if len(frame) < minFrame {
		return false
	}
	ethertype := binary.BigEndian.Uint16(frame[minFrame-2:])
	return ethertype == 0x8100 || ethertype == 0x88a8
}

// begin puts the header and the first buffer of a packet in t.segs.
func (t *Tx) begin(b *mbuf.Buf) {
	off, n := mbuf.Driver(b).View().Offset(), mbuf.Driver(b).View().Len()
	if off >= t.header {
		clear(mbuf.Driver(b).Room()[off-t.header:][:t.header])
		at := mbuf.Driver(b).RoomIOVA() + uint64(off-t.header)
		t.segs = append(t.segs, Segment{at, n + t.header})
		return
	}
	t.segs = append(t.segs, Segment{t.zeroHeader, t.header})
	if n > 0 {
		t.segs = append(t.segs, Segment{mbuf.Driver(b).IOVA(), n})
	}
}

// discard frees a packet that cannot be sent, or nil.
func (t *Tx) discard(b *mbuf.Buf, why *stat.Counter) {
	why.Add(1)
	t.stats.Dropped.Add(1)
	t.cache.Put([]*mbuf.Buf{b})
}

// countPostedSlow counts the packet that was made available at a position, and
// takes its buffers from the application.
func (t *Tx) countPostedSlow(at int) {
	if t.isSpecial(at) {
		t.special++
	}
	n, bytes := 0, 0
	for b := t.buf[at]; b != nil; b = b.Next() {
		n++
		bytes += b.Len()
		mbuf.Driver(b).Consume()
	}
	t.countPosted(1, n, uint64(bytes))
	t.limitPositions()
}
