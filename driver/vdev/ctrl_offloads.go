package vdev

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// setOffloads is GUEST_OFFLOADS_SET: a le64 of the receive offloads that are on, by the
// numbers of their features, which are all in the first word (5.1.9.5, Setting Offloads
// State).
func (d *Device) setOffloads(q *queue, data []byte) bool {
	wanted := virtio.Features{binary.LittleEndian.Uint64(data)}
	if extra := wanted.Minus(d.accepted.And(receiveOffloads)); !extra.Empty() {
		d.violate("net/offloads/1", q.index, "GUEST_OFFLOADS_SET with %v, which were not negotiated", extra)
		return false
	}
	d.setReceiveOffloads(wanted)
	return true
}
