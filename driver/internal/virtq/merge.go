package virtq

import (
	"encoding/binary"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/stat"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// buffers returns how many buffers the packet has that begins in b, of which the
// device used so many bytes. A packet fills all its buffers but the last
// (5.1.9.4.1), so one that leaves room in its first has no other, and its header
// is not read: the line would be taken from the core that writes it next. The
// value of num_buffers does not matter then; sample counts some that are wrong.
func (r *Rx) buffers(b *mbuf.Buf, used uint32) int {
	if !r.mergeable || used < r.room {
		return 1
	}
	return int(binary.LittleEndian.Uint16(r.numBuffers(b)))
}

// sample counts a packet that leaves room in its only buffer b and has another
// num_buffers than 1. The packet is good, but its device is not.
func (r *Rx) sample(b *mbuf.Buf) {
	if r.mergeable && b.Next() == nil && binary.LittleEndian.Uint16(r.numBuffers(b)) != 1 {
		r.stats.CountErrors.Add(1)
	}
}

// numBuffers returns num_buffers in the header of the packet that begins in b
// (5.1.9.4).
func (r *Rx) numBuffers(b *mbuf.Buf) []byte {
	return mbuf.Driver(b).Room()[r.data-r.header+virtio.NetHeaderNumBuffers:][:2]
}

// presetNumBuffers writes num_buffers of 1 where transmission left zeros in
// buffers that are about to be posted. Nearly all packets will have it, and a
// device that compares before it writes then leaves the line to us.
func (r *Rx) presetNumBuffers(bufs []*mbuf.Buf) {
	if !r.mergeable {
		return
	}
	for _, b := range bufs {
		if mbuf.Driver(b).HeaderDirty() {
			binary.LittleEndian.PutUint16(r.numBuffers(b), 1)
			mbuf.Driver(b).SetHeaderDirty(false)
		}
	}
}

// onlySingles cuts a run of n buffers at the head, which were used in order and
// have their views, before the first multi-buffer packet. bytes is the sum of
// their used lengths, end why there are no more. It returns all three for the
// buffers that are left.
func (r *Rx) onlySingles(n int, bytes uint64, end scanEnd) (int, uint64, scanEnd) {
	if bytes < uint64(r.room) {
		return n, bytes, end // no buffer is full, so none has others after it
	}
	bufs := r.buf[r.head : r.head+n]
	if n = r.singles(bufs); n < len(bufs) {
		end = scanSlow
	}
	for _, b := range bufs[n:] {
		bytes -= uint64(mbuf.Driver(b).View().PlainLen() + r.header)
		mbuf.Driver(b).Consume()
	}
	return n, bytes, end
}

// singles returns how many packets of one buffer there are before the first
// multi-buffer packet, or all.
func (r *Rx) singles(bufs []*mbuf.Buf) int {
	for i, b := range bufs {
		full := mbuf.Driver(b).View().PlainLen() == r.room-r.header
		if full && binary.LittleEndian.Uint16(r.numBuffers(b)) != 1 {
			return i
		}
	}
	return len(bufs)
}

// assemble makes a packet of buffers that are pending. It returns the packet
// and how many buffers were used up. Without a packet they were dropped; none
// means that more have to be collected first.
func (r *Rx) assemble() (*mbuf.Buf, int) {
	if r.pending == 0 {
		return nil, 0
	}
	b, used := r.buf[r.head], r.lens[r.head]
	if used < r.header || used > r.room {
		return nil, r.reject(1, &r.stats.LengthErrors, uint64(used))
	}
	n := r.buffers(b, used)
	switch {
	case n == 0 || n > r.maxMerge:
		return nil, r.reject(1, &r.stats.HeaderErrors, uint64(n))
	case n > r.pending:
		return nil, 0
	case n == 1 && used < r.header+minFrame:
		return nil, r.reject(1, &r.stats.LengthErrors, uint64(used))
	}
	for i := 1; i < n; i++ {
		if more := r.lens[r.wrap(r.head+i)]; more == 0 || more > r.room {
			return nil, r.reject(n, &r.stats.LengthErrors, uint64(more))
		}
	}
	r.bad, r.waits = 0, time.Time{}
	mbuf.Driver(b).Deliver(r.fast.viewOf(uint64(used)))
	r.link(b, n)
	r.bytes += uint64(b.PacketLen())
	return b, n
}

// link makes the n buffers at the head one packet, which begins with first. All
// but the last should be full; a device that leaves room breaks a rule, but does
// no harm.
func (r *Rx) link(first *mbuf.Buf, n int) {
	last := first
	for i := 1; i < n; i++ {
		if r.lens[r.wrap(r.head+i-1)] != r.room {
			r.stats.ShortMerges.Add(1)
		}
		at := r.wrap(r.head + i)
		b := r.buf[at]
		// Only the first has a header.
		mbuf.Driver(b).Deliver(mbuf.DriverViewOf(r.data-r.header, r.lens[at]))
		last.SetNext(b)
		last = b
	}
}

// reject gives the n buffers at the head back and counts a packet that is lost.
// What the device wrote is value. badLimit of them in a row break the queue.
func (r *Rx) reject(n int, why *stat.Counter, value uint64) int {
	for i := range n {
		r.cache.Give(r.buf[r.wrap(r.head+i):][:1])
	}
	why.Add(1)
	r.bad++
	if r.bad >= badLimit {
		r.fail("nothing but packets with invalid lengths or headers", value, uint64(r.room))
	}
	return n
}

// missing is called when a packet is incomplete and there is nothing to collect.
// The queue waits for its other buffers up to waitLimit, and then breaks.
func (r *Rx) missing() {
	if r.pending == 0 {
		return
	}
	if r.waits.IsZero() {
		r.waits = time.Now()
	}
	if time.Since(r.waits) < waitLimit {
		return
	}
	r.stats.HeaderErrors.Add(1)
	r.fail("num_buffers promises buffers that are not used",
		uint64(r.buffers(r.buf[r.head], r.room)), uint64(r.pending))
}
