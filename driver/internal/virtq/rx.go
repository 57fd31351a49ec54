package virtq

import (
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

const (
	// minFrame is the shortest frame there is: an Ethernet header.
	minFrame = 14
	// minSingle is the least room for a frame without MRG_RXBUF: 1526 bytes with a header of
	// 12 (5.1.9.3.1).
	minSingle = 1514
	// longestPacket bounds what a packet of several buffers can have: 65535 bytes behind
	// an IPv6 header, with Ethernet header and VLAN tag.
	longestPacket = 1<<16 - 1 + 40 + minFrame + vlanTag
	// badLimit is how many invalid lengths or headers in a row break a queue.
	badLimit = 64
	// waitLimit is for how long the last buffers of a packet may be missing. All
	// buffers of a packet are to appear at once (5.1.9.4.1), so a conforming device
	// needs no time at all, unless its thread loses the CPU between two of them.
	waitLimit = time.Second
	// yieldPeriod is the number of empty polls between two looks at whether the pool has
	// run out, and needs what the cache holds, and at the watchdog.
	yieldPeriod = 64
	// quietLimit is after how many empty polls, a good part of a second, the
	// watchdog rings the doorbell although the device did not ask: a lost
	// notification, or an invalid event index, must not stop the queue.
	quietLimit = 1 << 22
	// samplePeriod is of how many bursts one has the header of its first packet read.
	samplePeriod = 256
)

// Rx is a receive queue, whichever format its ring has. It belongs to one
// goroutine; Broken, Posted and Stats may be called from any.
//
// A frame is received with its header in the headroom, so one descriptor is
// enough for both.
type Rx struct {
	ring
	cache *mbuf.DriverCache
	stats RxStats

	header    uint32      // bytes of header
	data      uint32      // offset of the frame in the room
	room      uint32      // bytes posted: header and data room
	fast      lengthCheck // the fast-path check
	mergeable bool        // MRG_RXBUF: packets may span buffers
	maxMerge  int         // buffers that a packet can have

	batch     int // the ring is refilled when so many buffers are missing
	kickAfter int // posted buffers after which the device's event suppression is read

	// Used buffers that are not delivered yet: the first of slots, pending of
	// them, with the lengths that the device wrote. There are none between
	// bursts unless a packet is incomplete.
	pending int
	lens    []uint32

	waits time.Time // since when a packet is incomplete, zero if none is
	bad   int       // packets dropped since the last good one
	quiet int       // empty polls in a row, counted by yieldPeriod

	// While watching, there is nothing to do if *watched is still unchanged: it is the word
	// that the device changes when it uses the next buffer.
	watching  bool
	unchanged uint32
	watched   *uint32

	bytes uint64 // received in this burst

	rxOffload
}

// lengthCheck is what a used length is compared with, and how a view is made of
// it: used lengths count the header, views do not.
type lengthCheck struct {
	least uint32          // shortest length there can be
	span  uint32          // longest, less the shortest
	view  mbuf.DriverView // of a length of 0
}

// viewOf returns where the frame is in a buffer of which n bytes were used. n
// may have anything in its upper half.
func (c lengthCheck) viewOf(n uint64) mbuf.DriverView { return c.view + mbuf.DriverView(n<<32) }

// NewRx makes a receive queue of the format that cfg.Features say. Its buffers
// come from cache, which belongs to the goroutine that will call Burst, and
// whose pool must be bound. The error is an [*Error].
func NewRx(cfg Config, cache *mbuf.Cache) (*Rx, error) {
	r := &Rx{}
	if err := r.ring.init(&cfg, &r.stats.Kicks); err != nil {
		return nil, err
	}
	pool := cache.Pool()
	r.cache = (*mbuf.DriverCache)(cache)
	r.header = uint32(cfg.HeaderLen)
	r.data = uint32(pool.Headroom())
	r.room = r.header + uint32(pool.DataRoom())
	r.fast = lengthCheck{
		least: r.header + minFrame,
		span:  r.room - r.header - minFrame,
		view:  mbuf.DriverViewOf(r.data, 0) - mbuf.DriverViewOf(0, r.header),
	}
	r.mergeable = cfg.Features.Has(virtio.NetMrgRxbuf)
	r.rxOffload = newRxOffload(cfg.Features)
	r.maxMerge = min(cfg.Size, (longestPacket+cfg.HeaderLen+int(r.room)-1)/int(r.room))
	r.batch = min(max(cfg.Size/4, 1), 32)
	r.kickAfter = max(cfg.Size/4, 1)
	r.lens = make([]uint32, cfg.Size)
	if !r.packed {
		r.initPostSplit()
	}
	if err := r.checkPool(pool); err != nil {
		return nil, err
	}
	return r, nil
}

// checkPool refuses buffers that the device cannot reach or that are too small.
func (r *Rx) checkPool(pool *mbuf.Pool) error {
	e := &Error{Queue: r.index, Field: "pool"}
	switch {
	case !(*mbuf.DriverPool)(pool).Bound():
		return unboundPool(r.index)
	case r.data < r.header:
		e.Field, e.Value = "headroom", r.data
		e.Reason = "it is too short for the header"
		e.Remedy = remedyAtLeast(r.header)
	case pool.DataRoom() < minFrame:
		e.Field, e.Value = "data room", pool.DataRoom()
		e.Reason = "it is too short for a frame"
		e.Remedy = remedyAtLeast(minFrame)
	case !r.mergeable && pool.DataRoom() < r.leastSingle():
		e.Field, e.Value = "data room", pool.DataRoom()
		e.Reason = "without MRG_RXBUF a packet must fit one buffer"
		e.Remedy = remedyAtLeast(uint32(r.leastSingle()))
	default:
		return nil
	}
	return e
}

// Start is called when DRIVER_OK is set: from then on Burst works and the doorbell
// is rung, at once if the device asks to be notified of the buffers posted so far.
// id is the low 16 bits of every notification.
func (r *Rx) Start(doorbell virtio.Doorbell, id uint16) {
	r.ring.Start(doorbell, id)
	r.kick()
}

// NothingToDo reports whether Burst would find nothing, and have nothing else to do. Most
// polls are like that, and a caller that calls CountEmpty instead spares itself the rest.
func (r *Rx) NothingToDo() bool { return r.watching && load32(r.watched) == r.unchanged }

// Burst fills bufs with received packets and returns how many. It never waits.
// The packets are the caller's to free. It refills the ring in bulk, and rings
// the doorbell when the device asks for it.
func (r *Rx) Burst(bufs []*mbuf.Buf) int {
	if r.idle() {
		return 0
	}
	// Packets that pass the fast-path check are received in runs, with a loop for
	// each format, the others one by one.
	left := bufs
	for len(left) > 0 {
		n, end := 0, scanSlow
		if r.pending == 0 {
			if r.packed {
				n, end = r.receivePacked(left)
			} else {
				n, end = r.receiveSplit(left)
			}
		}
		left = left[n:]
		if end == scanEmpty {
			break
		}
		if end == scanSlow {
			b := r.receiveSlow()
			if b == nil {
				break
			}
			left[0] = b
			left = left[1:]
		}
	}
	n := len(bufs) - len(left)
	if r.describes && n > 0 {
		n = r.describe(bufs[:n])
	}
	if r.free() >= r.batch {
		r.Refill()
	}
	if r.unkicked > 0 && r.kickDue(n) {
		r.kick()
	}
	if !r.packed {
		r.deferUsedEvent()
	}
	r.posted.Set(uint64(r.count))
	if n == 0 {
		r.CountEmpty()
		r.watch()
		return 0
	}
	r.watching = false
	r.stats.Packets.Add(uint64(n))
	r.stats.Bytes.Add(r.bytes)
	r.bytes, r.quiet = 0, 0
	if r.stats.BusyPolls.Add(1)%samplePeriod == 0 {
		r.sample(bufs[0])
	}
	return n
}

// watch has NothingToDo watch the device, after a burst that received nothing, if there is
// nothing else to do: no packet to complete, no buffers to post, no doorbell to decide about.
func (r *Rx) watch() {
	r.watching = false
	if r.pending > 0 || r.free() >= r.batch || r.unkicked > 0 || r.idle() {
		return
	}
	if r.packed {
		r.watched, r.unchanged, r.watching = r.nextPackedWord()
	} else {
		r.watched, r.unchanged, r.watching = r.nextSplitWord()
	}
}

// kickDue reports whether it is time to kick after a burst that received n
// packets and left some that the device was not notified of. A kick needs a full
// barrier, and a device that has buffers does not wait for more, so many are
// notified of at once: at the latest when a burst received nothing or the device
// has no others.
func (r *Rx) kickDue(n int) bool {
	return r.unkicked >= r.kickAfter || n == 0 || r.unkicked == r.count
}

// scanEnd says why a loop over used buffers stopped.
type scanEnd int

const (
	scanMore  scanEnd = iota // there may be more: the end of the ring, or of the burst
	scanEmpty                // nothing else is used
	scanSlow                 // the next one is for the slow path
)

// receiveSlow delivers the next packet, of any number of buffers. It returns nil
// if there is none, or none that is complete.
func (r *Rx) receiveSlow() *mbuf.Buf {
	for !r.idle() {
		b, n := r.assemble()
		if n == 0 {
			if !r.collect() {
				r.missing()
				return nil
			}
			continue
		}
		r.pending -= n
		r.leave(n)
		if b != nil {
			return b
		}
	}
	return nil
}

// collect makes the next used buffer pending, or with IN_ORDER all that one used
// entry stands for. It returns false if there is none.
func (r *Rx) collect() bool {
	if r.packed {
		return r.collectPacked()
	}
	return r.collectSplit()
}

// consumeUsed makes a used buffer pending: its identifier is id, and the device
// wrote n bytes. limit is how many there may be, at least 1. It returns how many
// buffers became pending, 0 if id is invalid, which breaks the queue.
//
// With IN_ORDER one used entry may stand for all buffers up to id; those before
// it were then used completely (2.7.9, 2.8.8).
func (r *Rx) consumeUsed(id, n uint32, limit int) int {
	from := r.wrap(r.head + r.pending)
	d := 0
	if id != uint32(r.id[from]) {
		if d = r.distance(id, from, limit); d < 0 {
			r.fail(notOutstanding, uint64(id), uint64(r.size()))
			return 0
		}
		if !r.inOrder {
			r.toFront(from, d)
			d = 0
		}
	}
	for i := range d {
		r.lens[r.wrap(from+i)] = r.room
	}
	r.lens[r.wrap(from+d)] = n
	r.pending += d + 1
	return d + 1
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

// countReceived counts n packets of one buffer, of which bytes were used.
func (r *Rx) countReceived(n int, bytes uint64) {
	if n > 0 {
		r.bytes += bytes - uint64(n)*uint64(r.header)
		r.bad = 0
	}
}

// CountEmpty counts a poll that received nothing.
func (r *Rx) CountEmpty() {
	if r.stats.EmptyPolls.Add(1)%yieldPeriod == 0 {
		r.lookAround()
	}
}

// lookAround does what is due after many empty polls: the pool may have run out, or a
// notification may be lost.
func (r *Rx) lookAround() {
	r.cache.Yield()
	r.beQuiet(yieldPeriod)
}

// beQuiet is the watchdog's count of empty polls.
func (r *Rx) beQuiet(polls int) {
	r.quiet += polls
	if r.quiet >= quietLimit && r.count > 0 {
		r.quiet = 0
		r.stats.Rekicks.Add(1)
		r.rekick()
	}
}

// Abandon breaks the queue because a burst ended in a panic. Drain remains possible.
func (r *Rx) Abandon() {
	r.watching = false
	r.ring.Abandon()
}

// Drain gives every posted buffer back to its pool and returns how many. The
// device must have been reset. The queue is of no use afterwards.
func (r *Rx) Drain() int {
	r.watching = false
	return r.ring.Drain()
}

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

// SetCache makes the queue take its buffers from another cache, of the same
// pool, so that the queues of a goroutine share one. An [*Error] says that the
// pool is another one.
func (r *Rx) SetCache(c *mbuf.Cache) error {
	if c.Pool() != r.cache.Pool() {
		return &Error{
			Queue: r.index, Field: "cache",
			Reason: "it is of another pool than the buffers of the receive queue",
			Remedy: "make it with NewCache of the queue's pool",
		}
	}
	r.cache = (*mbuf.DriverCache)(c)
	return nil
}

// Stats returns the counters.
func (r *Rx) Stats() *RxStats { return &r.stats }
