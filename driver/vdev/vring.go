package vdev

import (
	"fmt"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// This file is for transports that have no registers and no device status of
// the device's own, but start, stop and enable rings one by one and say in
// terms of their own where things are: vhost-user. Begin takes the place of the
// steps of 3.1.1, End that of a reset.

// Vring is a virtqueue as such a transport hands it over.
type Vring struct {
	// Size is the number of descriptors.
	Size int
	// Areas are the three areas, by Area, in the address space of this process
	// and as long as AreaSize says.
	Areas [3][]byte
	// Position is where to go on: an index into the available ring, of a packed
	// ring an offset with the wrap counter in bit 15. A fresh ring begins at 0,
	// a packed one at 0x8000. What was made available before it and not used
	// (split: as the used ring tells) is looked at again.
	Position uint16
}

// Mapping is memory that the device can reach under the addresses from Address on.
type Mapping struct {
	Address uint64
	Memory  []byte
}

// VringError is a virtqueue that cannot be started.
type VringError struct {
	Queue  int
	Reason string
}

func (e *VringError) Error() string { return fmt.Sprintf("virtqueue %d: %s", e.Queue, e.Reason) }

// AreaSize is how long an area of a ring of n descriptors is, in bytes.
func AreaSize(packed bool, a Area, n int) int { return areaSize(packed, a, n) }

// AreaAlign is what the place of an area has to be a multiple of.
func AreaAlign(packed bool, a Area) uint64 { return areaAlign(packed, a) }

// Begin settles the features and lets the device run. It has no rings until
// StartRing; all of its queues are the transport's to start, enable and stop,
// and a control queue is none of them. Frames that waited at the back end for a
// driver are dropped, unless they would wait forever.
func (d *Device) Begin(f virtio.Features) {
	d.lock()
	defer d.unlock()
	d.clear()
	d.discard()
	d.accepted, d.negotiated, d.byRing, d.active = f, true, true, 0
	d.status = virtio.StatusAcknowledge | virtio.StatusDriver | virtio.StatusFeaturesOK | virtio.StatusDriverOK
	d.running, d.armed = true, true
	for _, q := range d.queues {
		q.muted = true
	}
	d.blame.Lock()
	d.failure = Violation{}
	d.blame.Unlock()
	d.log.Debug("device runs", "features", f.String())
}

// End stops all rings and forgets the features. The memory stays mapped.
func (d *Device) End() {
	d.lock()
	defer d.unlock()
	d.clear()
}

// maxDiscard is how many frames discard drops at most: twice what a cable holds.
const maxDiscard = 2048

// discard drops the frames that the back end has ready. It is bounded, because
// other goroutines may be adding frames as fast as they are taken out.
func (d *Device) discard() {
	if d.traits.PerPair || d.traits.Lossless {
		return
	}
	for range maxDiscard / maxBurst {
		n := d.cfg.Backend.Receive(AnyPair, d.stage.frames[:])
		d.stats.RxDropped += uint64(n)
		if n == 0 {
			return
		}
	}
}

// Remap replaces all memory at once, and the areas of the rings in areas, which
// are those that live. Addresses and sizes need no alignment here.
func (d *Device) Remap(all []Mapping, areas map[int][3][]byte) error {
	d.lock()
	defer d.unlock()
	var m memory
	for _, r := range all {
		if err := m.insert(r.Address, r.Memory); err != nil {
			return err
		}
	}
	d.mem = m
	for i, mem := range areas {
		if q := d.queue(i); q != nil && q.alive {
			q.mem = mem
		}
	}
	return nil
}

// StartRing starts a virtqueue of a device that was begun. Its areas must be in
// memory that stays mapped until StopRing or End. It does nothing much until
// EnableRing as well, in whatever order.
func (d *Device) StartRing(i int, v Vring) error {
	d.lock()
	defer d.wake()
	defer d.unlock()
	q := d.queue(i)
	packed := d.accepted.Has(virtio.RingPacked)
	switch {
	case q == nil:
		return &VringError{i, "the device has no such queue"}
	case !d.byRing || !d.running:
		return &VringError{i, "the device does not run"}
	case v.Size < 1 || v.Size > virtio.MaxQueueSize || !packed && v.Size&(v.Size-1) != 0:
		return &VringError{i, fmt.Sprintf("a ring of %d descriptors", v.Size)}
	case packed && int(v.Position&0x7fff) >= v.Size:
		return &VringError{i, fmt.Sprintf("position %#x in a ring of %d descriptors", v.Position, v.Size)}
	}
	for a, mem := range v.Areas {
		if len(mem) != areaSize(packed, Area(a), v.Size) || !aligned(mem, areaAlign(packed, Area(a))) {
			return &VringError{i, fmt.Sprintf("%v: %d bytes, or not at a multiple of %d", Area(a), len(mem), areaAlign(packed, Area(a)))}
		}
	}
	d.guard(func() { q.resume(v) })
	d.countActive()
	if !d.running {
		return &VringError{i, "the memory of the ring cannot be used"}
	}
	return nil
}

// resume starts the ring at a position.
func (q *queue) resume(v Vring) {
	f := q.dev.accepted
	q.packed, q.indirect = f.Has(virtio.RingPacked), f.Has(virtio.RingIndirectDesc)
	q.eventIdx, q.inOrder = f.Has(virtio.RingEventIdx), f.Has(virtio.InOrder)
	q.size, q.mem = uint16(v.Size), v.Areas
	q.at = cursor{off: v.Position, wrap: true}
	if q.packed {
		q.at = cursor{off: v.Position & 0x7fff, wrap: v.Position>>15 != 0}
	} else {
		// Whoever had the ring before may have died with buffers in its hands.
		q.at.off = uint16(load32(v.Areas[DeviceArea], ringFlags) >> 16)
	}
	q.used, q.marked, q.seen = q.at, q.at, q.at.off
	q.alive = true
	q.prepare()
	// It may have told the driver not to notify, too.
	q.arm()
	q.dev.armed = true
}

// StopRing stops a virtqueue and returns where it would go on, as in
// Vring.Position. The ring is not touched after it returns.
func (d *Device) StopRing(i int) uint16 {
	d.lock()
	defer d.unlock()
	q := d.queue(i)
	if q == nil || !q.alive {
		return 0
	}
	at := q.used.off
	if q.packed && q.used.wrap {
		at |= 1 << 15
	}
	q.ring.close()
	q.held = q.held[:0]
	d.countActive()
	return at
}

// EnableRing enables or disables a virtqueue, started or not; Begin disables
// all. A disabled receiveq receives nothing; what is on a disabled transmitq is
// used up and goes nowhere.
func (d *Device) EnableRing(i int, on bool) {
	d.lock()
	if q := d.queue(i); q != nil {
		q.muted = !on
		d.countActive()
	}
	d.unlock()
	d.wake()
}

// countActive finds out how many pairs can receive: frames are distributed
// among the first ones, as far as there is no gap.
func (d *Device) countActive() {
	d.active = 0
	for d.active < d.cfg.Pairs && d.queues[virtio.RxQueueIndex(d.active)].receives() {
		d.active++
	}
}

func (q *queue) receives() bool { return q.alive && !q.muted }

// SetRestless keeps a started device from sleeping: there is a ring whose
// driver has no way to notify it.
func (d *Device) SetRestless(on bool) {
	d.restless.Store(on)
	d.wake()
}

// ringTurn is turn for rings that the transport starts and enables. Their
// memory belongs to another process, which can take it away at any time: the
// fault that follows stops the device and not the program.
func (d *Device) ringTurn() (n int) {
	defer d.faulted()
	for pair := 0; pair < d.cfg.Pairs && d.running; pair++ {
		n += d.transmit(pair)
	}
	if d.running && d.active > 0 {
		n += d.receive()
	}
	return n
}

// faulted makes a panic the device's failure. It catches faults only in
// goroutines that asked for it with debug.SetPanicOnFault.
func (d *Device) faulted() {
	switch p := recover().(type) {
	case nil:
	case interface{ Addr() uintptr }:
		d.fail("x/memory/fault", -1, "memory of the driver is gone (fault at %#x)", p.Addr())
	default:
		d.fail("x/device/panic", -1, "the device itself is broken: %v", p)
	}
}

// guard calls f, which touches the memory of rings, and makes a fault there the
// device's failure as well.
func (d *Device) guard(f func()) {
	defer d.faulted()
	f()
}

// CopyConfig copies device configuration from its beginning on, whatever was
// negotiated.
func (d *Device) CopyConfig(b []byte) {
	d.lock()
	defer d.unlock()
	copy(b, d.net.bytes[:])
}

// Failure returns what made the device stop and ask for a reset since Begin,
// or ever if that was not called; false if nothing did.
func (d *Device) Failure() (Violation, bool) {
	d.blame.Lock()
	defer d.blame.Unlock()
	return d.failure, d.failure.Count > 0
}
