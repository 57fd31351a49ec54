package virtq

import (
	"sync/atomic"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/stat"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// ring is the driver side of a virtqueue of either format. What only one format
// has is in splitRing and packedRing, and in methods whose names end in Split or
// Packed. Choosing between them is a branch that always goes the same way, once
// for many descriptors.
//
// Fields that every burst uses stand together: a burst often finds the lines of this
// struct out of the nearest cache, displaced by packets.
type ring struct {
	index    int
	address  uint64
	layout   Layout
	doorbell virtio.Doorbell
	notifyID uint32
	drained  bool

	kicks      *stat.Counter
	suppressed stat.Counter // decisions not to notify the device, because it did not ask
	broken     atomic.Pointer[BrokenError]

	memory       []byte
	indirectSize int    // entries of an indirect table, 0 without INDIRECT_DESC
	tables       []desc // the indirect tables, one for each identifier

	packed     bool // RING_PACKED: the format
	eventIdx   bool // EVENT_IDX: events are asked for by position
	inOrder    bool // IN_ORDER: buffers are used in the order they were made available
	notifyData bool // NOTIFICATION_DATA: notifications have the next position
	stopped    bool // not started yet, drained or broken: bursts do nothing

	posted stat.Gauge // buffers that the device has, for other goroutines
	// unkicked counts what was made available since the last decision about a
	// doorbell: descriptors of a packed ring, chains of a split one.
	unkicked int
	barrier  uint32 // the word that fence is for
	taken    uint32 // buffers at tail that Refill is about to post

	desc []desc
	slots
	splitRing
	packedRing
}

// init makes an empty ring in cfg.Memory. kicks counts its notifications.
func (r *ring) init(cfg *Config, kicks *stat.Counter) error {
	l, err := cfg.complete()
	if err != nil {
		return err
	}
	r.index, r.address, r.layout, r.stopped = cfg.Index, cfg.Address, l, true
	r.packed = cfg.Features.Has(virtio.RingPacked)
	r.eventIdx = cfg.Features.Has(virtio.RingEventIdx)
	r.inOrder = cfg.Features.Has(virtio.InOrder)
	r.notifyData = cfg.Features.Has(virtio.NotificationData)
	r.kicks = kicks
	r.slots = newSlots(cfg.Size)
	r.desc = descsAt(cfg.Memory, l.Desc, cfg.Size)
	r.memory, r.indirectSize = cfg.Memory, cfg.IndirectSize
	if r.indirectSize > 0 {
		r.tables = descsAt(cfg.Memory, l.Indirect, cfg.Size*cfg.IndirectSize)
	}
	if r.packed {
		r.initPacked()
	} else {
		r.initSplit()
	}
	return nil
}

// Areas returns the device addresses of the three areas of the ring, for the
// transport.
func (r *ring) Areas() (desc, driver, device uint64) {
	return r.address + uint64(r.layout.Desc),
		r.address + uint64(r.layout.Driver),
		r.address + uint64(r.layout.Device)
}

// Start is called when DRIVER_OK is set: from then on the queue works and may
// ring the doorbell. id is the low 16 bits of every notification.
func (r *ring) Start(doorbell virtio.Doorbell, id uint16) {
	r.doorbell, r.notifyID, r.stopped = doorbell, uint32(id), r.finished()
}

// Broken returns the *BrokenError that stopped the queue, nil while it works.
// It may be called from any goroutine.
func (r *ring) Broken() error {
	if err := r.broken.Load(); err != nil {
		return err
	}
	return nil
}

// Posted returns how many buffers the device has: segments, not packets. It may
// be called from any goroutine.
func (r *ring) Posted() int { return int(r.posted.Load()) }

// Suppressed returns how often the device was not notified of something new, because it did
// not ask for that. It may be called from any goroutine.
func (r *ring) Suppressed() uint64 { return r.suppressed.Load() }

// notOutstanding is the reason for an identifier that is out of range, not
// posted, or in the middle of a chain.
const notOutstanding = "a used buffer is not one that the device had"

// fail breaks the queue. The first reason stays.
func (r *ring) fail(reason string, value, bound uint64) {
	r.stopped = true
	r.broken.CompareAndSwap(nil,
		&BrokenError{Queue: r.index, Reason: reason, Value: value, Bound: bound})
}

// Stopped reports whether the queue does nothing: not started yet, drained, broken.
// It belongs to the goroutine that calls Burst.
func (r *ring) Stopped() bool { return r.stopped }

// idle reports whether the queue does nothing: not started yet, drained, broken.
func (r *ring) idle() bool { return r.stopped }

// finished reports whether the queue will not work again.
func (r *ring) finished() bool { return r.drained || r.broken.Load() != nil }

// notify rings the doorbell. With NOTIFICATION_DATA it says which position
// comes next (2.9).
func (r *ring) notify(next uint32) {
	r.kicks.Add(1)
	v := r.notifyID
	if r.notifyData {
		v |= next << 16
	}
	r.doorbell.Ring(v)
}

// rekick rings the doorbell although the device did not ask.
func (r *ring) rekick() {
	if r.packed {
		r.notify(r.nextPacked())
	} else {
		r.notify(r.nextSplit())
	}
}

// kick rings the doorbell if the device asks for it. It decides about
// everything published since the last decision.
func (r *ring) kick() {
	if r.packed {
		r.kickPacked()
	} else {
		r.kickSplit()
	}
}

// put posts a list of segments, of which the device may write those from out
// on. b is the buffer that the list belongs to, nil for none. There is room for
// it. It returns the identifier of the list. On a split ring it is published
// later.
func (r *ring) put(b *mbuf.Buf, segs []Segment, out int) uint16 {
	if r.packed {
		return r.putPacked(b, segs, out)
	}
	return r.putSplit(b, segs, out)
}

// table returns the indirect table of an identifier, and its device address.
func (r *ring) table(id uint16) ([]desc, uint64) {
	at := int(id) * r.indirectSize
	return r.tables[at:][:r.indirectSize], r.address + uint64(r.layout.Indirect+at*descBytes)
}

// peek returns the identifier and the length of the next used buffer, if there
// is one.
func (r *ring) peek() (id, written uint32, ok bool) {
	if r.packed {
		return r.peekPacked()
	}
	return r.peekSplit()
}

// leave takes n positions at head out of the window.
func (r *ring) leave(n int) {
	if r.packed {
		r.leavePacked(n)
	} else {
		r.drop(n)
	}
}

// Abandon breaks the queue because a burst ended in a panic. Drain remains possible.
func (r *ring) Abandon() { r.fail("a burst did not end", 0, 0) }

// Drain gives every posted buffer back to its pool and returns how many. The
// device must have been reset. The queue is of no use afterwards.
func (r *ring) Drain() int {
	r.stopped, r.drained = true, true
	n := 0
	for r.count > 0 {
		n += giveBack(r.buf[r.head])
		r.drop(r.end())
	}
	for ; r.taken > 0; r.taken-- { // of a Refill that a memory fault ended
		giveBack(r.buf[r.tail()+int(r.taken)-1])
	}
	r.posted.Set(0)
	return n
}

// giveBack returns a packet to its pools. A burst that a memory fault ended may have
// delivered it already, although not to the application.
func giveBack(b *mbuf.Buf) int {
	for s := b; s != nil; s = s.Next() {
		mbuf.Driver(s).Consume()
	}
	return mbuf.Driver(b).Return()
}
