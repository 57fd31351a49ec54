package virtq

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

const (
	// maxChain bounds the descriptors of a packet on a ring that is larger:
	// there is no point in cutting a frame into more pieces (2.7.4.2).
	maxChain = 256
	// maxEmpty bounds the empty segments of a packet: a chain that is linked to itself
	// has no end.
	maxEmpty = 4 * maxChain
	// stuckLimit is for how many bursts the ring may stay full before the
	// watchdog rings the doorbell although the device did not ask.
	stuckLimit = 1 << 16
	// maxMoved is how many positions of the ring a burst may write to take back what
	// was used out of order, so that a device cannot make a burst on a large ring take
	// long by its choice of an order. The next burst goes on.
	maxMoved = 4096
)

// Tx is a transmit queue, whichever format its ring has. It belongs to one
// goroutine; AddPool, Broken, Posted and Stats may be called from any.
//
// The header of a packet goes in its headroom, so that one descriptor is enough
// for both. The header of a packet without a request is all zeros.
type Tx struct {
	ring
	cache *mbuf.DriverCache
	stats TxStats

	fast       fastCheck                    // the fast-path check
	header     uint32                       // bytes of header
	zeroHeader uint64                       // device address of a header that is all zeros
	pools      atomic.Pointer[[]*mbuf.Pool] // all that the device can reach

	most    int // positions that may be in use
	low     int // reclaiming starts when there is room for fewer
	keep    int // buffers that the device has when reclaiming starts at the latest
	limit   int // buffers that the device may have
	bufs    int // buffers that the device has
	special int // packets among them that only reclaimSlow can take back

	segs    []Segment // the packet being sent
	total   int       // bytes of its frame
	maxSegs int
	// What is in the first descriptor of an indirect table beside its length, and by how
	// much it grows from one to the next.
	link, nextLink uint64

	full  int // bursts in a row that found no room
	moved int // positions written in this burst for what was used out of order

	packets, bytes uint64 // sent in this burst

	txOffload
}

// headerLen is the length of the header that the plain loops are made for, in bytes.
// A queue with another one, or with offloads, has loops of its own (offload_tx.go).
const headerLen = virtio.NetHeaderLen

// fastCheck is what the fast path compares packets with: it takes those that are
// one buffer of one pool, with room for the header in front.
type fastCheck struct {
	pool *mbuf.Pool // nil for none
	span uint32     // longest frame, less minFrame
}

// matches reports whether the fast path takes b, of which v is the view. The plain
// length of a buffer that is not held, or of a packet with a request, is out of bounds, and
// so is the plain offset of one with a record: other loops take that (offload_tx.go).
func (c fastCheck) matches(b *mbuf.Buf, v mbuf.DriverView) bool {
	return b.Pool() == c.pool && b.Next() == nil &&
		v.PlainLen()-minFrame <= c.span && v.PlainOffset()-headerLen <= unlimitedSpan
}

// NewTx makes a transmit queue of the format that cfg.Features say. What was
// sent goes to cache, which belongs to the goroutine that will call Burst, and
// whose pool must be bound. The error is an [*Error].
func NewTx(cfg Config, cache *mbuf.Cache) (*Tx, error) {
	t := &Tx{}
	if err := t.ring.init(&cfg, &t.stats.Kicks); err != nil {
		return nil, err
	}
	t.header = uint32(cfg.HeaderLen)
	t.zeroHeader = cfg.Address + uint64(t.layout.Header)
	t.fast.span = unlimitedSpan
	if cfg.MaxFrame > 0 {
		t.fast.span = min(uint32(max(cfg.MaxFrame, minFrame)-minFrame), unlimitedSpan)
	}
	t.txOffload = newTxOffload(&cfg)
	t.maxSegs = max(cfg.IndirectSize, min(cfg.Size, maxChain))
	t.segs = make([]Segment, 0, t.maxSegs+2)
	if !t.packed { // entries of a packed ring's tables follow each other without being linked
		t.link, t.nextLink = splitNext|1<<splitNextShift, 1<<splitNextShift
	}
	t.pools.Store(new([]*mbuf.Pool))
	t.useCache(cache)
	if err := t.AddPool(cache.Pool()); err != nil {
		return nil, err
	}
	t.look()
	return t, nil
}

// Burst takes packets from the front of bufs, returns how many, and frees them
// some time after the device has sent them. The rest stays the caller's. It
// never waits. A packet that cannot be sent at all is taken too: it is counted
// in the statistics and freed.
func (t *Tx) Burst(bufs []*mbuf.Buf) int {
	if t.idle() {
		return 0
	}
	t.moved = 0
	if t.most-t.count < max(t.low, len(bufs)) {
		t.reclaim()
	}
	left := bufs
	for len(left) > 0 {
		var n int
		if t.packed {
			n = t.sendPacked(left)
		} else {
			n = t.sendSplit(left)
		}
		if n == 0 {
			if n = t.sendChains(left); n == 0 {
				break
			}
		}
		left = left[n:]
	}
	n := len(bufs) - len(left)
	if t.unkicked > 0 {
		if t.packed {
			t.kickPacked() // each descriptor was published by the store of its flags
		} else {
			t.publishAndKickSplit()
		}
	} else if len(bufs) == 0 { // nothing to send: there is time to take back what was sent
		t.reclaim()
	}
	t.posted.Set(uint64(t.bufs))
	if t.stats.Polls.Add(1)%lookPeriod == 0 {
		t.look()
	}
	if t.packets > 0 {
		t.stats.Packets.Add(t.packets)
		t.stats.Bytes.Add(t.bytes)
		t.packets, t.bytes = 0, 0
	}
	if n == len(bufs) {
		t.full = 0
	} else {
		t.countFull(n)
	}
	return n
}

// zeroHeader makes the header of b, which begins at an offset in its room, all
// zeros (5.1.9.2.1). Writing would take the cache line away from the device's
// core, so a header that is clean is left alone.
func zeroHeader(b *mbuf.Buf, off uint32) {
	h := (*[headerLen]byte)(mbuf.Driver(b).Room()[off : off+headerLen])
	if binary.LittleEndian.Uint64(h[:])|uint64(binary.LittleEndian.Uint32(h[8:])) != 0 {
		*h = [headerLen]byte{}
		mbuf.Driver(b).SetHeaderDirty(true)
	}
}

// countPosted counts packets that were made available, in so many buffers.
func (t *Tx) countPosted(packets, bufs int, bytes uint64) {
	t.bufs += bufs
	t.packets += uint64(packets)
	t.bytes += bytes
}

// countFull counts a burst that took n packets and had no room for the others.
func (t *Tx) countFull(n int) {
	t.stats.Full.Add(1)
	t.full++
	if n == 0 && t.full >= stuckLimit {
		t.full = 0
		t.stats.Rekicks.Add(1)
		t.rekick()
	}
}

// Stats returns the counters.
func (t *Tx) Stats() *TxStats { return &t.stats }
