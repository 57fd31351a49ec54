package virtq

import (
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

const (
	// minFrame is the shortest frame there is: an Ethernet header.
	minFrame = 14
	// minWholeBuffer is what a buffer must take when packets cannot be spread
	// over several: header and a frame with VLAN tag (5.1.9.3.1).
	minWholeBuffer = 1526
	// longestPacket bounds what a packet of several buffers can have.
	longestPacket = 1<<16 + minFrame
	// badLimit is how many senseless lengths or headers in a row break a
	// queue: its device is not just odd.
	badLimit = 64
	// waitLimit is for how many polls the rest of a packet may be missing. All
	// buffers of a packet are to appear at once (5.1.9.4.1), so waiting at all
	// is a courtesy.
	waitLimit = 1 << 16
	// quietLimit is after how many empty polls, a good part of a second, the
	// watchdog rings the doorbell although nobody asked: a notification that
	// was lost, or an event index that was garbage, must not stop the queue.
	quietLimit = 1 << 22
)

// rx is what receive queues of both formats share: where a frame lies in a
// buffer, and what becomes of a used one. A frame is received with its header
// in the headroom, so one descriptor is enough for both.
type rx struct {
	number int // of the virtqueue, for messages
	cache  *mbuf.DriverCache
	stats  RxStats

	header    uint32 // bytes of header
	data      uint32 // offset of the frame in the room
	room      uint32 // bytes posted: header and data room
	whole     whole  // how to recognise a frame that is whole
	mergeable bool   // MRG_RXBUF: packets may span buffers
	maxMerge  int    // buffers that a packet can have

	batch     int // the ring is refilled when so many buffers are missing
	kickAfter int // posted buffers after which the device's wish is looked at

	// Used buffers that are not delivered yet: the first of slots, pending of
	// them, with the lengths that the device wrote. There are none between
	// bursts unless a packet is incomplete.
	pending int
	lens    []uint32

	waits int // polls for which a packet was incomplete
	bad   int // packets dropped since the last good one
	quiet int // empty polls in a row

	bytes uint64 // received in this burst
}

// whole is what a used length is compared with, and how a view is made of it:
// used lengths count the header, views do not.
type whole struct {
	least uint32          // shortest length there can be
	span  uint32          // longest, less the shortest
	view  mbuf.DriverView // of a length of 0
}

// viewOf returns where the frame is in a buffer of which n bytes were used. n
// may have anything in its upper half.
func (w whole) viewOf(n uint64) mbuf.DriverView { return w.view + mbuf.DriverView(n<<32) }

// init prepares for buffers of the pool of cache.
func (r *rx) init(cfg *Config, cache *mbuf.Cache) error {
	pool := cache.Pool()
	r.number, r.cache = cfg.Index, (*mbuf.DriverCache)(cache)
	r.header = uint32(cfg.HeaderLen)
	r.data = uint32(pool.Headroom())
	r.room = r.header + uint32(pool.DataRoom())
	r.whole = whole{
		least: r.header + minFrame,
		span:  r.room - r.header - minFrame,
		view:  mbuf.DriverViewOf(r.data, 0) - mbuf.DriverViewOf(0, r.header),
	}
	r.mergeable = cfg.Features.Has(virtio.NetMrgRxbuf)
	r.maxMerge = min(cfg.Size, (longestPacket+cfg.HeaderLen+int(r.room)-1)/int(r.room))
	r.batch = min(max(cfg.Size/4, 1), 32)
	r.kickAfter = max(cfg.Size/4, 1)
	r.lens = make([]uint32, cfg.Size)
	return r.checkPool(pool)
}

// checkPool refuses buffers that the device cannot reach or that are too small.
func (r *rx) checkPool(pool *mbuf.Pool) error {
	e := &PoolError{Queue: r.number}
	switch {
	case !(*mbuf.DriverPool)(pool).Bound():
		e.Reason = "the pool has no device addresses; attach it to the port first"
	case r.data < r.header:
		e.Reason = "the headroom of the pool's buffers is too short for the header"
	case pool.DataRoom() < minFrame:
		e.Reason = "the buffers of the pool are too short for a frame"
	case !r.mergeable && r.room < minWholeBuffer:
		e.Reason = "without MRG_RXBUF a whole frame must fit a buffer: 1526 bytes of header and data"
	default:
		return nil
	}
	return e
}

// Stats returns the counters.
func (r *rx) Stats() *RxStats { return &r.stats }

// SetCache makes the queue take its buffers from another cache, of the same
// pool, so that the queues of a goroutine share one. A *PoolError says that the
// pool is another one.
func (r *rx) SetCache(c *mbuf.Cache) error {
	if c.Pool() != r.cache.Pool() {
		return &PoolError{Queue: r.number, Reason: "the cache is of another pool than the buffers of the receive queue"}
	}
	r.cache = (*mbuf.DriverCache)(c)
	return nil
}

// accept takes note of a used buffer: the device named id and wrote n bytes.
// limit is how many there may be, at least 1. It returns how many buffers that makes, 0 if the device may
// not have said so, in which case the queue is broken.
//
// With IN_ORDER one used entry may stand for all buffers up to id; those before
// it were then used completely (2.7.9, 2.8.8).
func (r *rx) accept(q *queue, s *slots, id, n uint32, limit int) int {
	from := s.wrap(s.head + r.pending)
	d := 0
	if id != uint32(s.id[from]) {
		if d = s.distance(id, from, limit); d < 0 {
			q.fail(notOutstanding, uint64(id), uint64(s.size()))
			return 0
		}
		if !q.inOrder {
			s.toFront(from, d)
			d = 0
		}
	}
	for i := range d {
		r.lens[s.wrap(from+i)] = r.room
	}
	r.lens[s.wrap(from+d)] = n
	r.pending += d + 1
	return d + 1
}

// scanEnd says why a loop over used buffers stopped.
type scanEnd int

const (
	scanMore  scanEnd = iota // there may be more: the end of the ring, or of the burst
	scanEmpty                // nothing else is used
	scanOdd                  // the next one needs a closer look
)

// deliver hands n buffers at the head, which were used in order and have their
// views, to the caller, or as many of them as are packets of one buffer. bytes
// is the sum of their used lengths, end why there are no more. It returns how
// many were delivered, and why no more.
func (r *rx) deliver(s *slots, out []*mbuf.Buf, n int, bytes uint64, end scanEnd) (int, scanEnd) {
	bufs := s.buf[s.head:][:n]
	if r.mergeable {
		if n = r.singles(bufs); n < len(bufs) {
			end = scanOdd
		}
		for _, b := range bufs[n:] { // not yet, after all
			bytes -= uint64(mbuf.Driver(b).View().Len() + r.header)
			mbuf.Driver(b).Consume()
		}
	}
	if n > 0 {
		copy(out, bufs[:n])
		r.bytes += bytes - uint64(n)*uint64(r.header)
		r.bad = 0
	}
	return n, end
}

// finish counts a burst that received n packets and left posted buffers with
// the device. It tells whether it is time for the watchdog's doorbell.
func (r *rx) finish(q *queue, n, posted int) (rekick bool) {
	q.posted.Set(uint64(posted))
	r.stats.Polls.Add(1)
	if n > 0 {
		r.stats.Packets.Add(uint64(n))
		r.stats.Bytes.Add(r.bytes)
		r.bytes, r.quiet = 0, 0
		return false
	}
	r.stats.EmptyPolls.Add(1)
	r.quiet++
	if r.quiet < quietLimit || posted == 0 {
		return false
	}
	r.quiet = 0
	r.stats.Rekicks.Add(1)
	return true
}
