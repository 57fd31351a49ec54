package virtq

import (
	"encoding/binary"
	"slices"
	"sync/atomic"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/stat"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

const (
	// maxChain bounds the descriptors of a packet on a ring that is larger:
	// there is no point in cutting a frame into more pieces (2.7.4.2).
	maxChain = 256
	// stuckLimit is for how many bursts the ring may stay full before the
	// watchdog rings the doorbell although nobody asked.
	stuckLimit = 1 << 16
)

// tx is what transmit queues of both formats share: which packets can be sent,
// and what becomes of those that were.
//
// The header of a packet goes in its headroom, so that one descriptor is enough
// for both. Every header is all zeros: nothing is offloaded.
type tx struct {
	number int // of the virtqueue, for messages
	cache  *mbuf.DriverCache
	stats  TxStats

	plain  plain                        // what nearly all packets are
	header uint32                       // bytes of header
	blank  uint64                       // device address of a header that is all zeros
	pools  atomic.Pointer[[]*mbuf.Pool] // all that the device can reach

	low     int // reclaiming starts when fewer slots are free
	bufs    int // buffers that the device has
	special int // packets among them that are not one buffer of pool

	segs    []Segment // the packet being sent
	maxSegs int
	full    int // bursts in a row that found no room

	packets, bytes uint64 // sent in this burst
}

// headerLen is the length of the header that the loops are made for, in bytes.
// With another one every packet takes the long way round.
const headerLen = virtio.NetHeaderLen

// plain is what nearly all packets are: one buffer of one pool, with room for
// the header in front.
type plain struct {
	pool *mbuf.Pool // nil for none
	span uint32     // longest frame, less minFrame
}

// matches tells whether b, of which v is the view, is such a packet, and held.
func (p plain) matches(b *mbuf.Buf, v mbuf.DriverView) bool {
	return b.Pool() == p.pool && b.Next() == nil && v.Len()-minFrame <= p.span && v.Offset() >= headerLen
}

// init prepares for giving buffers to cache.
func (t *tx) init(cfg *Config, l Layout, cache *mbuf.Cache) error {
	t.number = cfg.Index
	t.header = uint32(cfg.HeaderLen)
	t.blank = cfg.Address + uint64(l.Header)
	t.plain.span = 1<<32 - 1 - t.header - minFrame
	if cfg.MaxFrame > 0 {
		t.plain.span = uint32(max(cfg.MaxFrame, minFrame) - minFrame)
	}
	t.low = max(cfg.Size/4, 1)
	if cfg.MaxInFlight > 0 {
		t.low = max(t.low, cfg.Size-cfg.MaxInFlight)
	}
	t.maxSegs = max(cfg.IndirectSize, min(cfg.Size, maxChain))
	t.segs = make([]Segment, 0, t.maxSegs+2)
	t.pools.Store(new([]*mbuf.Pool))
	t.useCache(cache)
	return t.AddPool(cache.Pool())
}

// useCache makes the packets that cache takes back the usual ones.
func (t *tx) useCache(c *mbuf.Cache) {
	t.cache = (*mbuf.DriverCache)(c)
	if t.header == headerLen {
		t.plain.pool = c.Pool()
	}
}

// AddPool makes the queue accept buffers of another pool, which must be bound
// to addresses that the device can reach. It may be called from any goroutine.
// Buffers of other pools are not sent: they are counted and freed. *PoolError.
func (t *tx) AddPool(p *mbuf.Pool) error {
	if !(*mbuf.DriverPool)(p).Bound() {
		return &PoolError{Queue: t.number, Reason: "the pool has no device addresses; attach it to the port first"}
	}
	for {
		old := t.pools.Load()
		if slices.Contains(*old, p) {
			return nil
		}
		added := append(slices.Clone(*old), p)
		if t.pools.CompareAndSwap(old, &added) {
			return nil
		}
	}
}

// accepts tells whether the device can reach the buffers of p.
func (t *tx) accepts(p *mbuf.Pool) bool {
	return p == t.cache.Pool() || slices.Contains(*t.pools.Load(), p)
}

// Stats returns the counters.
func (t *tx) Stats() *TxStats { return &t.stats }

// setCache makes cache, and its pool, the ones that packets are compared with.
func (t *tx) setCache(s *slots, c *mbuf.Cache) error {
	if !t.accepts(c.Pool()) {
		return &PoolError{Queue: t.number, Reason: "the cache is of a pool that was not attached"}
	}
	t.useCache(c)
	t.special = 0
	for i := range s.count {
		if at := s.wrap(s.head + i); s.chain[at] != 0 && t.isSpecial(s, at) {
			t.special++
		}
	}
	return nil
}

// isSpecial tells whether the packet that was sent at a position is more than
// one buffer of the cache's pool in one descriptor.
func (t *tx) isSpecial(s *slots, at int) bool {
	return s.chain[at] > 1 || s.buf[at].Next() != nil || s.buf[at].Pool() != t.cache.Pool()
}

// blankHeader makes the header of b, which begins at an offset in its room, all
// zeros (5.1.9.2.1). Writing would take the cache line away from the device's
// core, so a header that is clean is left alone.
func blankHeader(b *mbuf.Buf, off uint32) {
	h := (*[headerLen]byte)(mbuf.Driver(b).Room()[off : off+headerLen])
	if binary.LittleEndian.Uint64(h[:])|uint64(binary.LittleEndian.Uint32(h[8:])) != 0 {
		*h = [headerLen]byte{}
		mbuf.Driver(b).SetHeaderDirty(true)
	}
}

// gather makes t.segs the descriptors of the packet that begins with b. It
// returns the counter of what is wrong with it, nil if nothing is.
func (t *tx) gather(b *mbuf.Buf) *stat.Counter {
	t.segs = t.segs[:0]
	first := b
	total := uint64(0)
	for ; b != nil; b = b.Next() {
		switch {
		case !mbuf.Driver(b).Held():
			return &t.stats.OwnerDrops
		case !t.accepts(b.Pool()):
			return &t.stats.PoolDrops
		case b == first:
			t.begin(b)
		case b.Len() > 0: // descriptors of no length are asking for trouble
			t.segs = append(t.segs, Segment{mbuf.Driver(b).IOVA(), mbuf.Driver(b).View().Len()})
		}
		if len(t.segs) > t.maxSegs {
			return &t.stats.ChainDrops
		}
		total += uint64(b.Len())
	}
	most := uint64(t.plain.span)
	if tagged(first.Data()) {
		most += vlanTag
	}
	if total < minFrame || total-minFrame > most {
		return &t.stats.LengthDrops
	}
	return nil
}

// vlanTag is what a VLAN tag adds to the header in front of the MTU's bytes.
const vlanTag = 4

// tagged tells whether a frame has a VLAN tag (IEEE 802.1Q or 802.1ad).
func tagged(frame []byte) bool {
	if len(frame) < minFrame {
		return false
	}
	ethertype := binary.BigEndian.Uint16(frame[minFrame-2:])
	return ethertype == 0x8100 || ethertype == 0x88a8
}

// begin puts the header and the first buffer of a packet in t.segs.
func (t *tx) begin(b *mbuf.Buf) {
	off, n := mbuf.Driver(b).View().Offset(), mbuf.Driver(b).View().Len()
	if off >= t.header {
		clear(mbuf.Driver(b).Room()[off-t.header:][:t.header])
		t.segs = append(t.segs, Segment{mbuf.Driver(b).RoomIOVA() + uint64(off-t.header), n + t.header})
		return
	}
	t.segs = append(t.segs, Segment{t.blank, t.header})
	if n > 0 {
		t.segs = append(t.segs, Segment{mbuf.Driver(b).IOVA(), n})
	}
}

// discard frees a packet that cannot be sent.
func (t *tx) discard(packet []*mbuf.Buf, why *stat.Counter) {
	why.Add(1)
	t.stats.Dropped.Add(1)
	t.cache.Put(packet[:1])
}

// took counts packets that were made available, in so many buffers.
func (t *tx) took(packets, bufs int, bytes uint64) {
	t.bufs += bufs
	t.packets += uint64(packets)
	t.bytes += bytes
}

// tookOdd counts the packet that was made available at a position, and takes
// its buffers from the application.
func (t *tx) tookOdd(s *slots, at int) {
	if t.isSpecial(s, at) {
		t.special++
	}
	n, bytes := 0, 0
	for b := s.buf[at]; b != nil; b = b.Next() {
		n++
		bytes += b.Len()
		mbuf.Driver(b).Consume()
	}
	t.took(1, n, uint64(bytes))
}

// giveBack frees the packet at the head, which the device has used, and
// returns the number of its descriptors.
func (t *tx) giveBack(s *slots) int {
	if t.isSpecial(s, s.head) {
		t.special--
	}
	t.bufs -= t.cache.GiveChain(s.buf[s.head])
	return s.end()
}

// oddLengths counts used lengths that mean nothing: the device only read.
func (t *tx) oddLengths(seen uint32) {
	if seen != 0 {
		t.stats.UsedLengths.Add(1)
	}
}

// finish counts a burst that took n packets of so many. It tells whether it is
// time for the watchdog's doorbell.
func (t *tx) finish(q *queue, n, of int) (rekick bool) {
	q.posted.Set(uint64(t.bufs))
	t.stats.Polls.Add(1)
	if t.packets > 0 {
		t.stats.Packets.Add(t.packets)
		t.stats.Bytes.Add(t.bytes)
		t.packets, t.bytes = 0, 0
	}
	if n == of {
		t.full = 0
		return false
	}
	t.stats.Full.Add(1)
	t.full++
	if n > 0 || t.full < stuckLimit {
		return false
	}
	t.full = 0
	t.stats.Rekicks.Add(1)
	return true
}
