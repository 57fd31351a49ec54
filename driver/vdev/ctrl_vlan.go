package vdev

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

var ctrlVLAN = []virtio.Feature{virtio.NetCtrlVLAN}

// vlanCommands are those of VLAN filtering (5.1.9.5.3).
var vlanCommands = []ctrlCommand{
	{virtio.CtrlVLAN, virtio.CtrlVLANAdd, "VLAN_ADD", ctrlVLAN, ruleFeature, 2, func(d *Device, q *queue, data []byte) bool {
		return d.setVLAN(q, data, true)
	}},
	{virtio.CtrlVLAN, virtio.CtrlVLANDel, "VLAN_DEL", ctrlVLAN, ruleFeature, 2, func(d *Device, q *queue, data []byte) bool {
		return d.setVLAN(q, data, false)
	}},
}

// setVLAN adds a VLAN to the filter or removes it. Neither is an error if nothing changes.
func (d *Device) setVLAN(q *queue, data []byte, on bool) bool {
	id := binary.LittleEndian.Uint16(data)
	if id > maxVLAN {
		d.violate("x/net/vlan-id", q.index, "VLAN ID %d", id)
		return false
	}
	if bit := uint64(1) << (id % 64); on {
		d.filter.vlans[id/64] |= bit
	} else {
		d.filter.vlans[id/64] &^= bit
	}
	return true
}
