package vdev

import (
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Ring is a virtqueue that a [VhostDevice] starts.
type Ring struct {
	// Size is the number of descriptors.
	Size int
	// Areas are the three areas, by Area, in the address space of this process
	// and as long as [AreaSize] says.
	Areas [3][]byte
	// Position is where to go on: an index into the available ring, of a packed
	// ring an offset with the wrap counter in bit 15. A fresh ring begins at 0,
	// a packed one at 0x8000. A split ring goes on at the index of its used ring, so
	// that buffers which were taken and not used are taken again.
	Position uint16
	// Inflight is where the device records what it takes and uses, in memory that
	// outlives it, as long as [InflightSize] says and aligned to 8 bytes; nil: nowhere.
	// If another device has recorded something there, the ring goes on where that one
	// ended, at whatever moment that was, and Position does not count.
	Inflight []byte
	// Kept says that Inflight was not kept by the driver's side, which knows when it
	// starts a ring anew. Then what is recorded there counts only if the ring is the one
	// that it is about. Only for packed rings.
	Kept bool
	// Began is Position as it was when the record began, if that is Kept. If Position is
	// another one now, the driver's side has itself used what lies between them, while no
	// device was there: QEMU drops what a guest transmits then.
	Began uint16
}

// StartRing starts a virtqueue of a device that was begun. Its areas must be in
// memory that stays mapped until StopRing or End. A ring works when EnableRing
// was called as well, before or after this. An error is an *[Error].
func (d *VhostDevice) StartRing(i int, r Ring) error {
	d.mu.Lock()
	defer d.wake()
	defer d.mu.Unlock()
	q := d.queue(i)
	packed := d.accepted.Has(virtio.RingPacked)
	switch {
	case q == nil:
		return ringError(i, "the device has no such queue")
	case !d.running:
		return ringError(i, "the device does not run")
	case r.Size < 1 || r.Size > virtio.MaxQueueSize || !packed && r.Size&(r.Size-1) != 0:
		return ringError(i, "a ring of %d descriptors", r.Size)
	case packed && int(r.Position&0x7fff) >= r.Size:
		return ringError(i, "position %#x in a ring of %d descriptors", r.Position, r.Size)
	}
	for a, mem := range r.Areas {
		align := AreaAlign(packed, Area(a))
		if len(mem) != AreaSize(packed, Area(a), r.Size) || !aligned(mem, align) {
			return ringError(i, "%v: %d bytes, or not at a multiple of %d", Area(a), len(mem), align)
		}
	}
	if n := len(r.Inflight); n != 0 && (n != InflightSize(packed, r.Size) || !aligned(r.Inflight, 8)) {
		return ringError(i, "the record of buffers in flight: %d bytes, or not at a multiple of 8", n)
	}
	if err := d.resume(q, r); err != nil {
		return ringError(i, "%v", err)
	}
	d.countActive()
	if !d.running {
		return ringError(i, "the memory of the ring cannot be used")
	}
	return nil
}

// resume starts a ring at its position.
func (d *VhostDevice) resume(q *queue, r Ring) error {
	defer d.faulted()
	q.setFormat()
	q.size, q.mem = uint16(r.Size), r.Areas
	at := packedCursor(r.Position)
	if !q.packed {
		at = cursor{wrap: true}

		// The device that used the ring before may have ended with buffers that it
		// took and did not use.
		at.off = uint16(load32(r.Areas[DeviceArea], ringFlags) >> 16)
	}
	next, recorded, inFlight := at, false, 0
	q.track = nil
	if r.Inflight != nil {
		var err error
		if at, next, err = q.record(r.Inflight, r.Kept && q.packed, at); err != nil {
			return err
		}
		recorded, inFlight = q.track.resumed, len(q.track.again)
	}
	d.log.Debug("ring starts", "queue", q.index, "at", at.off, "wrap", at.wrap, "recorded", recorded,
		"again", inFlight)
	q.start(at, next)
	if recorded && r.Kept && r.Began != r.Position && !q.catchUp(packedCursor(r.Began), packedCursor(r.Position)) {
		at = packedCursor(r.Position)
		q.track.begin(at)
		q.start(at, at)
	}
	if !d.worker.started.Load() {
		q.disarm() // the caller polls and needs no notifications
	} else {
		// That device may have asked the driver not to notify.
		q.arm()
		d.armed = true
	}
	if recorded || at.off != 0 {
		d.irq.Queue(q.index) // it may have ended before it did
	}
	return nil
}

// StopRing stops a virtqueue and returns where it would go on, as in
// Ring.Position. The ring is not touched after it returns.
func (d *VhostDevice) StopRing(i int) uint16 {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := d.queue(i)
	if q == nil || !q.alive {
		return 0
	}
	at := q.used.off
	if q.packed && q.used.wrap {
		at |= 1 << 15
	}
	q.stop()
	d.countActive()
	return at
}

// EnableRing enables or disables a virtqueue, started or not; Begin disables
// all. A disabled receiveq receives nothing; buffers on a disabled transmitq are
// used, and their frames discarded.
func (d *VhostDevice) EnableRing(i int, on bool) {
	d.mu.Lock()
	if q := d.queue(i); q != nil {
		q.disabled = !on
		d.countActive()
	}
	d.mu.Unlock()
	d.wake()
}

// countActive finds out how many pairs can receive: frames are distributed
// among the first ones, as far as there is no gap.
func (d *VhostDevice) countActive() {
	d.active = 0
	for d.active < d.cfg.Pairs {
		q := d.queues[virtio.RxQueueIndex(d.active)]
		if !q.alive || q.disabled {
			return
		}
		d.active++
	}
}
