package vdev

import "github.com/virtio-pmd/virtio-pmd/driver/virtio"

// queueRegisters are the fields of a virtqueue that the driver writes.
type queueRegisters struct {
	size    int // what queue_size reads as
	addr    [3]uint64
	enabled bool
	reset   queueReset

	inactiveReported bool // checkInactive recorded a violation
}

// queueReset follows the reset of a virtqueue from the write of 1 to the read of 0.
type queueReset struct {
	asked bool // 1 was written and 0 has not been read yet
	left  int  // reads until it completes; -1: never
}

// clearQueue puts virtqueue i into its state after a reset. d.mu is held.
func (d *Device) clearQueue(i int) {
	q := d.queues[i]
	if q == d.controlQueue() {
		d.ctrl.late = nil
	}
	q.stop()
	d.registers[i] = queueRegisters{size: q.max}
}

// Queues returns how many virtqueues the device has.
func (d *Device) Queues() int { return len(d.queues) }

// QueueSize reads queue_size of a virtqueue: the largest that is possible until
// the driver writes it, 0 if there is no such queue.
func (d *Device) QueueSize(i int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.queue(i) == nil {
		return 0
	}
	return d.registers[i].size
}

// SetQueueSize writes queue_size. A size that the ring format does not have is
// a violation and changes nothing.
func (d *Device) SetQueueSize(i, size int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.configurable(i, "queue_size")
	switch {
	case r == nil:
	case size == 0 && d.accepted.Has(virtio.RingPacked):
		d.violate("pci/common/2", i, "queue_size written as 0")
	case !d.accepted.Has(virtio.RingPacked) && size&(size-1) != 0, size == 0:
		d.violate("pci/common/3", i, "queue_size written as %d, which is no power of two", size)
	case size > d.queues[i].max:
		d.violate("x/pci/queue-size", i, "queue_size written as %d, above the largest, %d", size, d.queues[i].max)
	case d.faults.LargestQueue != 0 && size > d.faults.LargestQueue: // ignored
	default:
		r.size = size
	}
}

// QueueAddress reads the address of an area of a virtqueue.
func (d *Device) QueueAddress(i int, a Area) uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.queue(i) == nil {
		return 0
	}
	return d.registers[i].addr[a]
}

// SetQueueAddress writes the bits of mask of the address of an area: the PCI
// transport has two registers of 32 bits for each.
func (d *Device) SetQueueAddress(i int, a Area, mask, v uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r := d.configurable(i, a.String()); r != nil {
		r.addr[a] = r.addr[a]&^mask | v&mask
	}
}

// configurable returns the registers of virtqueue i if they may be written now:
// after FEATURES_OK, because the ring format depends on it, and before the queue
// is enabled. d.mu is held.
func (d *Device) configurable(i int, field string) *queueRegisters {
	switch {
	case d.queue(i) == nil:
		d.violate("x/pci/queue-size", i, "%s written, but there is no such queue", field)
		return nil
	case !d.negotiated:
		d.violate("basic/init/1", i, "%s written while the status is %v: FEATURES_OK comes first", field, d.status)
		return nil
	case d.registers[i].reset.asked:
		d.violate("pci/common/7", i, "%s written before the reset of the queue was seen to be over", field)
		return nil
	case d.registers[i].enabled:
		d.violate("pci/common/4", i, "%s written while the queue is enabled", field)
		return nil
	}
	return &d.registers[i]
}

// QueueEnabled reads queue_enable.
func (d *Device) QueueEnabled(i int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.queue(i) != nil && d.registers[i].enabled
}

// SetQueueEnabled writes queue_enable. Any value but 1 is a violation.
func (d *Device) SetQueueEnabled(i int, v uint16) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if v != 1 {
		d.violate("pci/common/6", i, "queue_enable written as %d", v)
		return
	}
	r := d.configurable(i, "queue_enable")
	if r == nil || !d.checkAreas(i) {
		return
	}
	if d.status.Has(virtio.StatusDriverOK) && !d.accepted.Has(virtio.RingReset) {
		d.violate("basic/init/1", i, "queue enabled after DRIVER_OK")
		return
	}
	r.enabled = true
	if d.running {
		d.startQueue(i)
	}
}

// checkAreas checks size and addresses before the ring is alive.
func (d *Device) checkAreas(i int) bool {
	r := &d.registers[i]
	for a, addr := range r.addr {
		if addr == 0 {
			d.violate("pci/common/4", i, "queue enabled before %v was written", Area(a))
			return false
		}
	}
	packed := d.accepted.Has(virtio.RingPacked)
	switch {
	case r.size > virtio.MaxQueueSize:
		d.violate("x/packed/size", i, "queue enabled with %d entries, more than either format has", r.size)
		return false
	case !packed && r.size&(r.size-1) != 0:
		d.violate("pci/common/3", i, "split queue enabled with %d entries, which is no power of two", r.size)
		return false
	}
	rule := "split/layout/1"
	if packed {
		rule = "packed/layout/1"
	}
	for a, addr := range r.addr {
		if align := AreaAlign(packed, Area(a)); addr%align != 0 {
			d.violate(rule, i, "%v = %#x is not a multiple of %d", Area(a), addr, align)
			return false
		}
	}
	return true
}

// startQueue looks up the areas of an enabled virtqueue and starts its ring. It
// reports whether that is alive.
func (d *Device) startQueue(i int) bool {
	q, r := d.queues[i], &d.registers[i]
	q.setFormat()
	q.size = uint16(r.size)
	for a := range q.mem {
		n := AreaSize(q.packed, Area(a), r.size)
		if q.mem[a] = d.mem.at(r.addr[a], uint64(n)); q.mem[a] == nil {
			d.fail(q.addressRule(), i, "%v: %d bytes at %#x are not mapped", Area(a), n, r.addr[a])
			return false
		}
	}
	q.start(cursor{wrap: true}, cursor{wrap: true})
	d.resetCoalescing(q)
	if q.packed {
		q.alive = q.checkPackedStart()
	} else {
		q.checkSplitStart()
	}
	return q.alive
}

// usesMemory reports whether an area of the ring of virtqueue i touches size bytes
// at addr.
func (d *Device) usesMemory(i int, addr, size uint64) bool {
	for a, b := range d.queues[i].mem {
		first := d.registers[i].addr[a]
		if first <= addr+size-1 && addr <= first+uint64(len(b))-1 {
			return true
		}
	}
	return false
}

// ResetQueue resets one virtqueue (2.6.1): its ring stops and its fields take their values
// after a device reset, at once without Faults.QueueResetReads. It reports whether
// RING_RESET was negotiated, without which nothing happens.
func (d *Device) ResetQueue(i int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.queue(i) == nil || !d.accepted.Has(virtio.RingReset) {
		d.violate("basic/vqreset/1", i, "queue reset without RING_RESET or without such a queue")
		return false
	}
	reset := queueReset{asked: true, left: d.faults.QueueResetReads}
	if reset.left == 0 {
		d.clearQueue(i)
	}
	d.registers[i].reset = reset
	return true
}

// QueueInReset reads queue_reset: whether the reset of a virtqueue is in progress.
func (d *Device) QueueInReset(i int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.queue(i) == nil || !d.registers[i].reset.asked {
		return false
	}
	r := &d.registers[i].reset
	if r.left == 0 {
		r.asked = false
		return false
	}
	if r.left < 0 {
		return true
	}
	if r.left--; r.left == 0 {
		d.clearQueue(i)
		d.registers[i].reset = queueReset{asked: true}
	}
	return true
}
