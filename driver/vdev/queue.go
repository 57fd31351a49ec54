package vdev

import (
	"sync/atomic"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Area is one of the three memory areas of a virtqueue (2.6). The split and the
// packed format use them for different things.
type Area int

const (
	// DescArea is the descriptor table or the descriptor ring.
	DescArea Area = iota
	// DriverArea is the available ring, or the driver's event suppression.
	DriverArea
	// DeviceArea is the used ring, or the device's event suppression.
	DeviceArea
)

// String names the area as the registers do.
func (a Area) String() string {
	return [...]string{"queue_desc", "queue_driver", "queue_device"}[a]
}

// queue is one virtqueue: what its registers say, and the ring once it lives.
type queue struct {
	dev   *Device
	index int

	max     int // what queue_size reads as after a reset
	entries int // what it reads as now
	addr    [3]uint64
	enabled bool
	muted   bool // EnableRing disabled it

	ring
	stats     QueueStats    // d.mu guards it
	doorbells atomic.Uint64 // counted without d.mu
	told      told          // what was recorded once and need not be again
	bufs      []chain       // receiveq: the chains of the frame at hand
	held      []chain       // receiveq, OutOfOrder: popped and waiting to be picked
	random    uint32        // OutOfOrder: what picks
	stage     stage         // receiveq: frames for this pair that wait for buffers
	least     uint64        // receiveq: bytes that a buffer must have at least
	leastRule string        // what a smaller one breaks
	mergeable bool          // receiveq: MRG_RXBUF
}

func newQueue(d *Device, index int) *queue {
	q := &queue{dev: d, index: index, max: d.cfg.QueueSize}
	if size, ok := d.cfg.QueueSizes[index]; ok {
		q.max = size
	}
	return q
}

func (q *queue) clear() {
	q.entries, q.addr, q.enabled, q.muted, q.told = q.max, [3]uint64{}, false, false, told{}
	q.ring.close()
}

// Queues returns how many virtqueues the device has.
func (d *Device) Queues() int { return len(d.queues) }

// queue returns virtqueue i or nil. d.mu is held.
func (d *Device) queue(i int) *queue {
	if i < 0 || i >= len(d.queues) || d.queues[i].max == 0 {
		return nil
	}
	return d.queues[i]
}

// QueueSize reads queue_size of a virtqueue: the largest that is possible until
// the driver writes it, 0 if there is no such queue.
func (d *Device) QueueSize(i int) int {
	d.lock()
	defer d.unlock()
	if q := d.queue(i); q != nil {
		return q.entries
	}
	return 0
}

// SetQueueSize writes queue_size. A size that the ring format does not have is
// a violation and changes nothing.
func (d *Device) SetQueueSize(i, size int) {
	d.lock()
	defer d.unlock()
	q := d.configurable(i, "queue_size")
	switch {
	case q == nil:
	case size == 0 && d.accepted.Has(virtio.RingPacked):
		d.Violate("pci/common/2", i, "queue_size written as 0")
	case !d.accepted.Has(virtio.RingPacked) && size&(size-1) != 0, size == 0:
		d.Violate("pci/common/3", i, "queue_size written as %d, which is no power of two", size)
	case size > q.max:
		d.Violate("x/pci/queue-size", i, "queue_size written as %d, above the largest, %d", size, q.max)
	default:
		q.entries = size
	}
}

// QueueAddress reads the address of an area of a virtqueue.
func (d *Device) QueueAddress(i int, a Area) uint64 {
	d.lock()
	defer d.unlock()
	if q := d.queue(i); q != nil {
		return q.addr[a]
	}
	return 0
}

// SetQueueAddress writes the bits of mask of the address of an area: the PCI
// transport has two registers of 32 bits for each.
func (d *Device) SetQueueAddress(i int, a Area, mask, v uint64) {
	d.lock()
	defer d.unlock()
	if q := d.configurable(i, a.String()); q != nil {
		q.addr[a] = q.addr[a]&^mask | v&mask
	}
}

// configurable returns virtqueue i if its fields may be written now: after
// FEATURES_OK, because the ring format depends on it, and before the queue is
// enabled. d.mu is held.
func (d *Device) configurable(i int, field string) *queue {
	q := d.queue(i)
	switch {
	case q == nil:
		d.Violate("x/pci/queue-size", i, "%s written, but there is no such queue", field)
		return nil
	case !d.negotiated:
		d.Violate("basic/init/1", i, "%s written while the status is %v: FEATURES_OK comes first", field, d.status)
		return nil
	case q.enabled:
		d.Violate("pci/common/4", i, "%s written while the queue is enabled", field)
		return nil
	}
	return q
}

// QueueEnabled reads queue_enable.
func (d *Device) QueueEnabled(i int) bool {
	d.lock()
	defer d.unlock()
	q := d.queue(i)
	return q != nil && q.enabled
}

// SetQueueEnabled writes queue_enable. Anything but 1 is a violation.
func (d *Device) SetQueueEnabled(i int, v uint16) {
	d.lock()
	defer d.unlock()
	if v != 1 {
		d.Violate("pci/common/6", i, "queue_enable written as %d", v)
		return
	}
	q := d.configurable(i, "queue_enable")
	if q == nil || !q.checkAreas() {
		return
	}
	if d.status.Has(virtio.StatusDriverOK) && !d.accepted.Has(virtio.RingReset) {
		d.Violate("basic/init/1", i, "queue enabled after DRIVER_OK")
		return
	}
	q.enabled = true
	if d.running {
		q.open()
	}
}

// checkAreas checks what can be checked before the ring lives.
func (q *queue) checkAreas() bool {
	d := q.dev
	for a, addr := range q.addr {
		if addr == 0 {
			d.Violate("pci/common/4", q.index, "queue enabled before %v was written", Area(a))
			return false
		}
	}
	packed := d.accepted.Has(virtio.RingPacked)
	switch {
	case q.entries > virtio.MaxQueueSize:
		d.Violate("x/packed/size", q.index, "queue enabled with %d entries, more than either format has", q.entries)
		return false
	case !packed && q.entries&(q.entries-1) != 0:
		d.Violate("pci/common/3", q.index, "split queue enabled with %d entries, which is no power of two", q.entries)
		return false
	}
	rule := "split/layout/1"
	if packed {
		rule = "packed/layout/1"
	}
	for a, addr := range q.addr {
		if align := areaAlign(packed, Area(a)); addr%align != 0 {
			d.Violate(rule, q.index, "%v = %#x is not a multiple of %d", Area(a), addr, align)
			return false
		}
	}
	return true
}

// ResetQueue resets one virtqueue (2.6.1): its ring stops at once and its
// fields take their values after a device reset. It tells whether RING_RESET
// was negotiated, without which nothing happens.
func (d *Device) ResetQueue(i int) bool {
	d.lock()
	defer d.unlock()
	q := d.queue(i)
	if q == nil || !d.accepted.Has(virtio.RingReset) {
		d.Violate("basic/vqreset/1", i, "queue reset without RING_RESET or without such a queue")
		return false
	}
	q.clear()
	return true
}
