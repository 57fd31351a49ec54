package vdev

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// macCommands are those of MAC address filtering (5.1.9.5.2). All of them need CTRL_RX;
// ADDR_SET needs CTRL_MAC_ADDR besides, which says that the device has it.
var macCommands = []ctrlCommand{
	{virtio.CtrlMAC, virtio.CtrlMACTableSet, "MAC_TABLE_SET", ctrlRx, "net/ctrl-mac/1", -1, (*Device).setMACTable},
	{virtio.CtrlMAC, virtio.CtrlMACAddrSet, "MAC_ADDR_SET", ctrlRx, "net/ctrl-mac/1", 6, (*Device).setMAC},
}

// setMAC is MAC_ADDR_SET: the default address, which the configuration shows.
func (d *Device) setMAC(q *queue, data []byte) bool {
	switch {
	case !d.accepted.Has(virtio.NetCtrlMACAddr):
		d.violate(ruleFeature, q.index, "MAC_ADDR_SET without CTRL_MAC_ADDR")
		return false
	case data[0]&1 != 0 || macAddr(data) == macAddr{}:
		d.violate("x/net/mac-addr", q.index, "the default address set to %x, which is not that of a station", data)
		return false
	}
	d.filter.mac = macAddr(data)
	if d.accepted.Has(virtio.NetMAC) {
		copy(d.net.bytes[virtio.NetConfigMAC:], data)
		d.net.generation++
	}
	return true
}

// setMACTable is MAC_TABLE_SET: a list of unicast and a list of multicast addresses.
func (d *Device) setMACTable(q *queue, data []byte) bool {
	unicast, rest, ok := d.macList(q, data, 0)
	if !ok {
		return false
	}
	multicast, rest, ok := d.macList(q, rest, 1)
	if !ok {
		return false
	}
	if len(rest) != 0 {
		d.violate(ruleLength, q.index, "MAC_TABLE_SET with %d bytes behind its lists", len(rest))
		return false
	}
	d.filter.unicast.set(unicast, d.cfg.MACTable)
	d.filter.multicast.set(multicast, d.cfg.MACTable)
	return true
}

// macList takes one list from data. group is what the lowest bit of the first byte is in
// all of its addresses.
func (d *Device) macList(q *queue, data []byte, group byte) (list, rest []byte, ok bool) {
	if len(data) < 4 {
		d.violate(ruleLength, q.index, "MAC_TABLE_SET ends before the length of a list")
		return nil, nil, false
	}
	n, data := uint64(binary.LittleEndian.Uint32(data)), data[4:]
	if 6*n > uint64(len(data)) {
		d.violate(ruleLength, q.index, "MAC_TABLE_SET has a list of %d addresses in %d bytes", n, len(data))
		return nil, nil, false
	}
	list, rest = data[:6*n], data[6*n:]
	for i := 0; i < len(list); i += 6 {
		if list[i]&1 != group {
			d.violate("net/ctrl-mac/3", q.index, "address %x in the wrong list of MAC_TABLE_SET", list[i:i+6])
			return nil, nil, false
		}
	}
	return list, rest, true
}
