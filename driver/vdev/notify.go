package vdev

// Notify says that the driver rang the doorbell of virtqueue q. position is the
// upper half of what it wrote and counts only with NOTIFICATION_DATA: how far
// the driver has come, 15 bits and a wrap bit (2.9).
func (d *Device) Notify(q int, position uint16) {
	if q < 0 || q >= len(d.queues) {
		return
	}
	if d.doorbell.Load()&doorbellData != 0 {
		d.checkPosition(q, position)
	}
	d.notify(q)
}

// checkPosition compares the position in a doorbell with that in the ring.
// That is known only while no other goroutine is in the device; otherwise the check
// is skipped.
func (d *Device) checkPosition(i int, position uint16) {
	if !d.mu.TryLock() {
		return
	}
	defer d.mu.Unlock()
	q := d.queues[i]
	if !q.alive || !d.running {
		return
	}
	want := q.driverPosition()
	if position != want {
		rule := "x/notif-data"
		if q.packed {
			rule = "packed/desc/3"
		}
		d.violate(rule, i, "a doorbell says position %#04x, the driver is at %#04x", position, want)
	}
}

// driverPosition returns where the driver will make the next buffer available.
func (q *queue) driverPosition() uint16 {
	if !q.packed {
		return uint16(load32(q.mem[DriverArea], ringFlags) >> 16)
	}
	at := q.at
	for range q.size {
		flags := uint16(load64(q.mem[DescArea], 16*int(at.off)+descWord) >> 48)
		if !availableNow(flags, at.wrap) {
			break
		}
		at = at.advance(1, q.size)
	}
	if at.wrap {
		return at.off | 1<<15
	}
	return at.off
}
