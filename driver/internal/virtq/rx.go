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

	header    uint32      // bytes of header
	data      uint32      // offset of the frame in the room
	room      uint32      // bytes posted: header and data room
	mergeable bool        // MRG_RXBUF: packets may span buffers
	watching  bool        // see unchanged
	fast      lengthCheck // the fast-path check

	batch     int // the ring is refilled when so many buffers are missing
	kickAfter int // posted buffers after which the device's event suppression is read

	// Used buffers that are not delivered yet: the first of slots, pending of
	// them, with the lengths that the device wrote. There are none between
	// bursts unless a packet is incomplete.
	pending int

	bytes uint64 // received in this burst
	bad   int    // packets dropped since the last good one
	quiet int    // empty polls in a row, counted by yieldPeriod

	stats RxStats

	// While watching, there is nothing to do if *watched is still unchanged: it is the word
	// that the device changes when it uses the next buffer.
	unchanged uint32
	watched   *uint32

	lens     []uint32  // of pending buffers
	maxMerge int       // buffers that a packet can have
	waits    time.Time // since when a packet is incomplete, zero if none is

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

// countReceived counts n packets of one buffer, of which bytes were used.
func (r *Rx) countReceived(n int, bytes uint64) {
	if n > 0 {
		r.bytes += bytes - uint64(n)*uint64(r.header)
		r.bad = 0
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
