package virtq

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/stat"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// sendChains sends the first packet by sendTable or sendSlow, and those after it that are of
// several segments and have to take that way as well. It returns how many.
func (t *Tx) sendChains(in []*mbuf.Buf) int {
	for i, b := range in {
		if i > 0 && (b == nil || b.Next() == nil) || !t.sendTable(b) && !t.sendSlow(b) {
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
	return t.postPlain(b)
}

// postPlain is postSlow of a packet without a request: its header is all zeros.
func (t *Tx) postPlain(b *mbuf.Buf) bool {
	if off := mbuf.Driver(b).View().Offset(); off >= t.header {
		clearHeader(b, mbuf.Driver(b).Room()[off-t.header:off])
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

// gather makes t.segs the descriptors of the packet that begins with b, and t.total the
// length of its frame. It returns the counter of what is wrong with it, nil if nothing is.
func (t *Tx) gather(b *mbuf.Buf) *stat.Counter {
	if b == nil {
		return &t.stats.OwnerDrops
	}
	if why := t.checkOwner(b); why != nil {
		return why
	}
	n := t.begin(b)
	if n > t.maxSegs {
		return &t.stats.ChainDrops
	}
	segs, total, empty := t.segs[:t.maxSegs], uint64(b.Len()), 0
	for b = b.Next(); b != nil; b = b.Next() {
		k, bytes, rest := gatherOrdinary(segs[n:], b, t.fast.pool)
		n, total, b = n+k, total+bytes, rest
		if b == nil {
			break
		}
		if why := t.checkOwner(b); why != nil {
			return why
		}
		size := mbuf.Driver(b).View().Len()
		if size == 0 { // which needs no descriptor
			if empty++; empty > maxEmpty {
				return &t.stats.ChainDrops
			}
			continue
		}
		if n == len(segs) {
			return &t.stats.ChainDrops
		}
		segs[n] = Segment{mbuf.Driver(b).IOVA(), size}
		total += uint64(size)
		n++
	}
	t.segs = segs[:n]
	if total < minFrame || total > unlimitedSpan {
		return &t.stats.LengthDrops
	}
	t.total = int(total)
	return nil
}

// gatherOrdinary writes the descriptors of segments from b on as long as they are held, of
// this pool and not empty, and there is room. It returns how many, the sum of their lengths,
// and the segment that follows.
func gatherOrdinary(segs []Segment, b *mbuf.Buf, pool *mbuf.Pool) (n int, bytes uint64, rest *mbuf.Buf) {
	for ; n < len(segs) && b != nil; b = b.Next() {
		v := mbuf.Driver(b).View()
		if b.Pool() != pool || v.PlainLen()-1 >= unlimitedSpan {
			break
		}
		segs[n] = Segment{mbuf.Driver(b).RoomIOVA() + uint64(v.Offset()), v.PlainLen()}
		bytes += uint64(v.PlainLen())
		n++
	}
	return n, bytes, b
}

// checkOwner returns the counter of buffers that are not held by the application, or that
// the device cannot reach.
func (t *Tx) checkOwner(b *mbuf.Buf) *stat.Counter {
	switch {
	case !mbuf.Driver(b).Held():
		return &t.stats.OwnerDrops
	case !t.reaches(b.Pool()):
		return &t.stats.PoolDrops
	}
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

// begin makes t.segs the header and the first buffer of a packet, and returns how many
// segments they take. What is in the header is not looked at.
func (t *Tx) begin(b *mbuf.Buf) int {
	off, n := mbuf.Driver(b).View().Offset(), mbuf.Driver(b).View().Len()
	segs := t.segs[:2]
	if off >= t.header {
		segs[0] = Segment{mbuf.Driver(b).RoomIOVA() + uint64(off-t.header), n + t.header}
		return 1
	}
	segs[0] = Segment{t.zeroHeader, t.header}
	if n == 0 {
		return 1
	}
	segs[1] = Segment{mbuf.Driver(b).IOVA(), n}
	return 2
}

// discard frees a packet that cannot be sent, or nil.
func (t *Tx) discard(b *mbuf.Buf, why *stat.Counter) {
	why.Add(1)
	t.cache.Put([]*mbuf.Buf{b})
}

// countPostedSlow counts the packet that was made available at a position, and
// takes its buffers from the application.
func (t *Tx) countPostedSlow(at int) {
	if t.isSpecial(at) {
		t.special++
	}
	n := 0
	for b := t.buf[at]; b != nil; b = b.Next() {
		n++
		mbuf.Driver(b).Consume()
	}
	t.countPosted(1, n, uint64(t.total))
	t.limitPositions()
}
