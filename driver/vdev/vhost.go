package vdev

import (
	"sync/atomic"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// VhostDevice is a virtio network device for vhost-user, which has no registers, but
// starts, stops and enables rings one by one and describes them by addresses of its
// own. [VhostDevice.Begin] takes the place of the steps of 3.1.1,
// [VhostDevice.End] that of a reset. Its methods may be called from several
// goroutines.
//
// It has no control queue. The memory of its rings belongs to another process,
// which can take it away at any time: the fault that follows stops the device and
// not the program, in goroutines that called debug.SetPanicOnFault.
type VhostDevice struct {
	core
	failure  atomic.Pointer[Violation] // what stopped it; nil if nothing did
	replaced atomic.Bool               // the back end belongs to another device
}

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

// Mapping is memory that the device can reach under the addresses from Address on.
type Mapping struct {
	Address uint64
	Memory  []byte
	// Populate makes n bytes at an offset present, and is called before pages are
	// accessed for the first time. It may wait: that stops the device, but in a system
	// call, where the Go runtime can do without the thread. An error means that the
	// device is not to go on. nil says that all pages are present.
	Populate func(off, n uint64) error
}

// notVhost are features that make no sense over vhost-user: what needs a
// control queue, which front ends keep to themselves; what needs doorbells that
// carry a value; resets of single queues; and addresses that an IOMMU translates.
var notVhost = virtio.FeatureSet(virtio.NetCtrlVQ, virtio.NetCtrlRx, virtio.NetCtrlVLAN, virtio.NetCtrlRxExtra,
	virtio.NetCtrlMACAddr, virtio.NetCtrlOffloads, virtio.NetAnnounce, virtio.NetDeviceStats, virtio.NetVQNotfCoal,
	virtio.NetNotfCoal, virtio.NetHashReport, virtio.NetRSS, virtio.NetHashTunnel, virtio.NotificationData, virtio.NotifConfigData,
	virtio.RingReset, virtio.AccessPlatform, virtio.OrderPlatform)

// NewVhost makes a device. It owns cfg.Backend and closes it if it fails.
// With a nil irq there are no interrupts. cfg.Translated and cfg.Faults have no
// effect.
func NewVhost(cfg Config, irq Interrupts) (*VhostDevice, error) {
	d := &VhostDevice{}
	cfg.Refuse = cfg.Refuse.Or(notVhost)
	if err := d.init(cfg, irq, d, 0); err != nil {
		return nil, err
	}
	if err := d.attach(); err != nil {
		return nil, err
	}
	return d, nil
}

// Replace returns a device that takes the place of d, which waits in Mapping.Populate for
// memory that may never come, with its configuration, back end and statistics. It is not
// started. d is not used any more: Populate returns an error if it ever returns, upon
// which d stops without calling the back end, and Stop ends its goroutine.
func (d *VhostDevice) Replace(irq Interrupts) (*VhostDevice, error) {
	d.replaced.Store(true)
	next := &VhostDevice{}
	if err := next.init(d.config, irq, next, 0); err != nil {
		return nil, err
	}
	if stats := d.waiting.Load(); stats != nil {
		next.stats, next.base = *stats, *stats
	}
	next.missed.Store(d.missed.Load())
	next.oversize.Store(d.oversize.Load())
	next.dropped.Store(d.dropped.Load())
	next.droppedBytes.Store(d.droppedBytes.Load())
	next.offloading = next.offloader != nil // the back end was perhaps told of offloads
	next.wakeTarget = d.wakeTarget
	next.wakeTarget.Store(&next.core)
	return next, nil
}

// Pairs returns how many queue pairs the device has.
func (d *VhostDevice) Pairs() int { return d.cfg.Pairs }

// MTU returns the MTU of the device.
func (d *VhostDevice) MTU() int { return d.cfg.MTU }

// Config returns a copy of the device configuration, with the fields of all features.
func (d *VhostDevice) Config() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]byte(nil), d.net.bytes[:]...)
}

// Begin settles the features and lets the device run. It has no rings until
// StartRing, and none that is enabled. Frames that wait at the back end are
// dropped, unless they would wait forever.
func (d *VhostDevice) Begin(f virtio.Features) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.replaced.Load() {
		return
	}
	d.stopQueues()
	d.discard()
	d.failure.Store(nil)
	d.accepted, d.active, d.running, d.armed = f, 0, true, true
	d.setReceiveOffloads(f)
	for _, q := range d.queues {
		q.disabled = true
	}
	d.log.Debug("device runs", "features", f.String())
}

// End stops all rings and forgets the features. The memory stays mapped.
func (d *VhostDevice) End() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopQueues()
	if !d.replaced.Load() {
		d.setReceiveOffloads(virtio.Features{})
	}
}

// maxDiscard is how many frames discard drops at most: twice what a cable holds.
const maxDiscard = 2048

// discard drops the frames that the back end has ready. It is bounded, because
// other goroutines may be adding frames as fast as they are taken out.
func (d *VhostDevice) discard() {
	if d.traits.PerPair || d.traits.Lossless {
		return
	}
	for range maxDiscard / maxBurst {
		n := d.cfg.Backend.Receive(AnyPair, d.stage.frames[:])
		d.missed.Add(uint64(n))
		if n == 0 {
			return
		}
	}
}

// Remap replaces all memory at once, and the areas of the rings in areas, which
// are those that are started. Addresses and sizes need no alignment here.
func (d *VhostDevice) Remap(all []Mapping, areas map[int][3][]byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var m memory
	for _, r := range all {
		var p *pages
		if r.Populate != nil {
			p = newPages(len(r.Memory), func(off, n uint64) error {
				// Stats does not wait for the lock that is held here.
				stats := d.countStats()
				d.waiting.Store(&stats)
				defer d.waiting.Store(nil)
				return r.Populate(off, n)
			})
		}
		if err := m.insert(r.Address, r.Memory, p); err != nil {
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

// SendRARP transmits a RARP frame from a station, by which switches learn where it is. A
// front end asks for it after a migration, if the guest does not announce itself. It
// reports whether the back end took it.
func (d *VhostDevice) SendRARP(mac [6]byte) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.replaced.Load() || !d.net.link || d.cfg.Backend.Transmit(0, [][]byte{rarp(mac)}) != 1 {
		return false
	}
	d.stats.TxRARP++
	return true
}

// Notify says that the driver kicked virtqueue i.
func (d *VhostDevice) Notify(i int) {
	if i >= 0 && i < len(d.queues) {
		d.notify(i)
	}
}

// SetNoKick keeps a started device from sleeping: there is a ring whose driver
// has no way to notify it.
func (d *VhostDevice) SetNoKick(on bool) {
	d.noKick.Store(on)
	d.wake()
}

func (d *VhostDevice) work() (n int) {
	defer d.faulted()
	for pair := 0; pair < d.cfg.Pairs && d.running; pair++ {
		n += d.transmit(pair)
	}
	if d.running && d.active > 0 {
		n += d.receive()
	}
	return n
}

func (d *VhostDevice) arm() {
	defer d.faulted()
	d.armQueues()
}

func (d *VhostDevice) disarm() {
	defer d.faulted()
	d.disarmQueues()
}

// faulted makes a panic the device's failure: a fault in the memory of the rings,
// or a mistake in this package.
func (d *VhostDevice) faulted() {
	switch p := recover().(type) {
	case nil:
	case interface{ Addr() uintptr }:
		d.fail("x/memory/fault", -1, "memory of the driver is gone (fault at %#x)", p.Addr())
	default:
		d.fail("x/device/panic", -1, "the device itself is broken: %v", p)
	}
}

func (d *VhostDevice) failed(v Violation) {
	d.failure.Store(&v)
	if d.running {
		d.running = false
		d.irq.Config()
	}
}

// Failure returns what made the device stop since Begin, false if nothing did.
func (d *VhostDevice) Failure() (Violation, bool) {
	if v := d.failure.Load(); v != nil {
		return *v, true
	}
	return Violation{}, false
}
