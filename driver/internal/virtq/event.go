package virtq

import "github.com/virtio-pmd/virtio-pmd/driver/virtio"

// This file decides whether the device wants to be notified (2.7.10, 2.8.10).
// The functions are pure: the queues read what the device wrote, once, after a
// full barrier, and pass it here. Whatever it wrote, the result only costs or
// saves a notification.

// splitWantsEvent reports whether publishing the entries from old up to, and not
// including, new passed the one that the device asks to be notified of. Indices
// are free-running modulo 65536, so distances are compared (2.7.10.1).
func splitWantsEvent(event, new, old uint16) bool {
	return new-event-1 < new-old
}

// packedEvent is a word of the packed ring's event suppression (2.8.14): the
// offset of a descriptor in 15 bits, its wrap counter, and the flags.
type packedEvent uint32

const (
	packedEventDisable packedEvent = virtio.EventDisable << 16

	eventOffsetMask = 1<<15 - 1
	eventWrapShift  = 15
	eventFlagsShift = 16
	eventFlagsMask  = 3
)

func (e packedEvent) flags() uint32 { return uint32(e) >> eventFlagsShift & eventFlagsMask }

// wants reports whether the device asks to be notified of the count descriptors
// before next, whose wrap counter is wrap (2.8.10). Reserved flags, and DESC
// without EVENT_IDX, count as ENABLE: a doorbell too many does no harm, one too
// few may stop the device.
func (e packedEvent) wants(next, count, size int, wrap, eventIdx bool) bool {
	switch {
	case e.flags() == virtio.EventDisable:
		return false
	case e.flags() != virtio.EventDesc || !eventIdx:
		return true
	}
	back := e.back(next, size, wrap)
	return back >= 0 && back < count
}

// passed reports whether the device asked to be notified of a descriptor that was made
// available before the count before next.
func (e packedEvent) passed(next, count, size int, wrap bool) bool {
	back := e.back(next, size, wrap)
	return e.flags() == virtio.EventDesc && back >= count && back < size
}

// back returns how far the descriptor of which the device asks to be notified is behind
// the one before next. It is below 0 if that is ahead in this lap, and size or more if it
// is in the next.
func (e packedEvent) back(next, size int, wrap bool) int {
	at := int(e & eventOffsetMask)
	if (e>>eventWrapShift&1 != 0) != wrap {
		at -= size // the lap before that of next
	}
	return next - 1 - at
}

// position returns the place of the next descriptor as NOTIFICATION_DATA wants
// it: offset and wrap counter (2.9).
func position(offset int, wrap bool) uint32 {
	if wrap {
		return uint32(offset) | 1<<eventWrapShift
	}
	return uint32(offset)
}
