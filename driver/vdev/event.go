package vdev

import "github.com/virtio-pmd/virtio-pmd/driver/virtio"

// passed reports whether moving an index from before to now went over event: the
// side that wrote event is to be notified (2.7.10). All are free-running.
func passed(event, now, before uint16) bool { return now-event-1 < now-before }

// arm asks the driver to notify the device when it makes the next buffer
// available. The caller has to poll once more afterwards: a buffer that came before
// will not be notified.
func (q *queue) arm() {
	q.noNotify = false
	switch {
	case q.eventIdx:
		q.armEvent()
		return
	case q.packed:
		q.storeEvent(cursor{}, virtio.EventEnable)
	default:
		q.storeUsed()
	}
	fence(&q.dummy)
}

// armEvent is arm with EVENT_IDX. The event is the buffer after the last one that
// is available, which is not the one that the device takes next when the available
// buffers are too small for a frame: an event that was passed already is not passed
// again, and both sides would wait. So it is looked up again until the driver does
// not move. A driver that keeps moving gets no notifications, which delays only its
// own frames.
func (q *queue) armEvent() {
	for range q.size {
		at := q.driverPosition()
		if q.packed {
			q.storeEvent(cursor{at &^ (1 << 15), at>>15 != 0}, virtio.EventDesc)
		} else {
			store16(q.mem[DeviceArea], ringEntries+usedElem*int(q.size), at)
		}
		// The event must be visible before the position is read again, or a
		// driver that has not seen it could go past it unnoticed.
		fence(&q.dummy)
		if q.driverPosition() == at {
			return
		}
	}
}

// disarm asks the driver not to notify: the device polls. A split ring with
// EVENT_IDX needs nothing, since the old event is passed once only.
func (q *queue) disarm() {
	if q.noNotify {
		return
	}
	q.noNotify = true
	switch {
	case q.packed:
		q.storeEvent(cursor{}, virtio.EventDisable)
	case !q.eventIdx:
		q.storeUsed()
	}
}

// storeEvent writes the device's event suppression: le16 offset with the wrap
// counter in bit 15, le16 flags (2.8.10).
func (q *queue) storeEvent(at cursor, flags uint32) {
	v := uint32(at.off) | flags<<16
	if at.wrap {
		v |= 1 << 15
	}
	store32(q.mem[DeviceArea], 0, v)
}

// interrupt signals the driver if it asked for an interrupt for the entries that
// were used since the last call.
func (q *queue) interrupt() {
	if q.coal.holds(q) {
		return
	}
	before, since := q.marked, q.since
	q.marked, q.since = q.used, 0
	if q.dev.irq.Masked(q.index) {
		return
	}
	// The used entries must be visible before the event suppression is read: a
	// driver that enables interrupts and then finds the ring empty relies on it.
	fence(&q.dummy)
	var due bool
	if q.packed {
		due = q.packedDue(before, since)
	} else {
		due = q.splitDue(before)
	}
	if due {
		q.stats.Interrupts++
		q.dev.irq.Queue(q.index)
	}
}

// splitDue reports whether an interrupt is due on a split ring (2.7.10).
func (q *queue) splitDue(before cursor) bool {
	if q.eventIdx {
		return passed(load16(q.mem[DriverArea], ringEntries+2*int(q.size)), q.used.off, before.off)
	}
	return load32(q.mem[DriverArea], ringFlags)&virtio.AvailNoInterrupt == 0
}

// packedDue reports whether an interrupt is due on a packed ring (2.8.10). The event
// is a place in the ring: it lies a number of slots ahead of the position before, in
// this lap or in the next.
func (q *queue) packedDue(before cursor, since uint16) bool {
	v := load32(q.mem[DriverArea], 0)
	switch v >> 16 & 3 {
	case virtio.EventEnable:
		return true
	case virtio.EventDisable:
		return false
	case virtio.EventDesc:
		if q.eventIdx {
			event := int(v & 0x7fff)
			if v>>15&1 != 0 != before.wrap {
				event += int(q.size)
			}
			ahead := event - int(before.off)
			return ahead >= 0 && ahead < int(since)
		}
	}
	q.dev.violate("x/packed/event", q.index, "driver event suppression has flags %d", v>>16)
	return true
}
