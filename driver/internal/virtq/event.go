package virtq

import "github.com/virtio-pmd/virtio-pmd/driver/virtio"

// This file decides whether the device wants to be notified (2.7.10, 2.8.10).
// The functions are pure: the queues read what the device wrote, once, after a
// full barrier, and pass it here. Whatever it wrote, the answer only costs or
// saves a doorbell.

// splitWantsEvent tells whether publishing the entries from old up to, and not
// including, new passed the one that the device asks to be told about. Indices
// run freely modulo 65536, so the whole batch is compared, by distance (2.7.10.1).
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

// wants tells whether making available the count descriptors before next, whose
// wrap counter is wrap, is something to notify the device of (2.8.10). Flags
// that are reserved, or DESC without EVENT_IDX, ask for nothing that can be
// understood; a doorbell too many does no harm, one too few may stop the device.
func (e packedEvent) wants(next, count, size int, wrap, eventIdx bool) bool {
	switch {
	case e.flags() == virtio.EventDisable:
		return false
	case e.flags() != virtio.EventDesc || !eventIdx:
		return true
	}
	at := int(e & eventOffsetMask)
	if (e>>eventWrapShift&1 != 0) != wrap {
		at -= size // it lies in the lap before that of next
	}
	back := next - 1 - at
	return back >= 0 && back < count
}

// position returns the place of the next descriptor as NOTIFICATION_DATA wants
// it: offset and wrap counter (2.9).
func position(offset int, wrap bool) uint32 {
	if wrap {
		return uint32(offset) | 1<<eventWrapShift
	}
	return uint32(offset)
}
