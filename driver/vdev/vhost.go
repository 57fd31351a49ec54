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
