package vdev

import "github.com/virtio-pmd/virtio-pmd/driver/virtio"

var (
	ctrlRx      = []virtio.Feature{virtio.NetCtrlRx}
	ctrlRxExtra = []virtio.Feature{virtio.NetCtrlRxExtra}
)

// rxCommands are those of packet receive filtering (5.1.9.5.1).
var rxCommands = []ctrlCommand{
	{virtio.CtrlRx, virtio.CtrlRxPromisc, "RX_PROMISC", ctrlRx, ruleCtrlRx, 1, rxMode(func(f *filter) *bool { return &f.promiscuous })},
	{virtio.CtrlRx, virtio.CtrlRxAllMulti, "RX_ALLMULTI", ctrlRx, ruleCtrlRx, 1, rxMode(func(f *filter) *bool { return &f.allMulticast })},
	{virtio.CtrlRx, virtio.CtrlRxAllUni, "RX_ALLUNI", ctrlRxExtra, ruleRxExtra, 1, rxMode(func(f *filter) *bool { return &f.allUnicast })},
	{virtio.CtrlRx, virtio.CtrlRxNoMulti, "RX_NOMULTI", ctrlRxExtra, ruleRxExtra, 1, rxMode(func(f *filter) *bool { return &f.noMulticast })},
	{virtio.CtrlRx, virtio.CtrlRxNoUni, "RX_NOUNI", ctrlRxExtra, ruleRxExtra, 1, rxMode(func(f *filter) *bool { return &f.noUnicast })},
	{virtio.CtrlRx, virtio.CtrlRxNoBcast, "RX_NOBCAST", ctrlRxExtra, ruleRxExtra, 1, rxMode(func(f *filter) *bool { return &f.noBroadcast })},
}

// rxMode returns a command that switches a mode of the filter on and off.
func rxMode(mode func(*filter) *bool) func(*Device, *queue, []byte) bool {
	return func(d *Device, q *queue, data []byte) bool {
		if data[0] > 1 {
			d.violate("x/net/rx-mode", q.index, "a receive mode set to %d", data[0])
			return false
		}
		*mode(&d.filter) = data[0] == 1
		return true
	}
}
