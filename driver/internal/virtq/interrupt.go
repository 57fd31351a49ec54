package virtq

import "github.com/virtio-pmd/virtio-pmd/driver/virtio"

// This file is about interrupts for used buffers (2.7.7, 2.8.10). A queue that is polled
// wants none. One whose owner is about to sleep asks for one and looks again, because the
// device may have used a buffer just before it could see that it was asked.

// Arm has the device interrupt when it uses the next buffer, and reports whether there is
// nothing to do until then: the owner may sleep. If there is something to do, Burst does it.
// Either way Disarm follows.
func (r *Rx) Arm() (sleep bool) {
	if r.idle() || r.pending > 0 { // a packet that stays incomplete is for the watchdog of Burst
		return false
	}
	if r.free() >= r.batch {
		r.Refill()
	}
	r.cache.Yield() // what it holds is of no use while the owner sleeps
	if r.packed {
		r.armPacked()
	} else {
		r.armSplit()
	}
	// Without the barrier the ring could be read before the device can see that it is to
	// interrupt: it would use a buffer without an interrupt, and the driver not see it.
	fence(&r.barrier)
	if r.unkicked > 0 {
		r.kick()
	}
	return !r.hasUsed()
}

// Disarm has the device not interrupt any more, and reports whether it has used a buffer.
func (r *Rx) Disarm() (used bool) {
	if r.idle() {
		return true // Burst says why
	}
	if r.packed {
		publish32(r.driverEvent, uint32(packedEventDisable))
	} else {
		r.disarmSplit()
	}
	return r.hasUsed()
}

// Overslept is called when the owner has slept for a part of a second, in eighths of that
// after which the watchdog rings the doorbell, and nothing has come.
func (r *Rx) Overslept() { r.beQuiet(quietLimit / 8) }

// Starved reports whether the device has no buffer: the pool is empty, and only another
// Arm or Burst changes that.
func (r *Rx) Starved() bool { return r.count == 0 }

// hasUsed reports whether the device has used a buffer that was not received yet.
func (r *Rx) hasUsed() bool {
	if r.packed {
		_, _, unused := r.nextPackedWord()
		return !unused && r.count > 0
	}
	_, _, unused := r.nextSplitWord()
	return !unused
}

// armPacked asks for an interrupt for the descriptor at head, or for any without EVENT_IDX.
func (r *ring) armPacked() {
	event := uint32(virtio.EventEnable) << eventFlagsShift
	if r.eventIdx {
		event = position(r.head, r.headFlags == packedState) | virtio.EventDesc<<eventFlagsShift
	}
	publish32(r.driverEvent, event)
}

// armSplit asks for an interrupt for the next used entry, or for any without EVENT_IDX.
func (r *ring) armSplit() {
	if r.eventIdx {
		r.writeUsedEvent(r.usedIdx)
		return
	}
	r.availFlags = 0
	r.publishSplit()
}

// disarmSplit undoes armSplit.
func (r *ring) disarmSplit() {
	if r.eventIdx {
		r.writeUsedEvent(r.usedIdx - 1)
		return
	}
	r.availFlags = virtio.AvailNoInterrupt
	r.publishSplit()
}
