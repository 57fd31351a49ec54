package main

import (
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/vhostback"
)

// extended returns what a device counts, by the names that the driver and DPDK's vhost
// library have for the same.
func extended(c vhostback.Counters) []driver.ExtendedStat {
	return []driver.ExtendedStat{
		{Name: "rx_good_packets", Value: c.RxPackets, Help: "received by the front end's driver"},
		{Name: "tx_good_packets", Value: c.TxPackets, Help: "sent by it and taken by the wire"},
		{Name: "rx_good_bytes", Value: c.RxBytes, Help: "of those received"},
		{Name: "tx_good_bytes", Value: c.TxBytes, Help: "of those sent"},
		{Name: "rx_missed_errors", Value: c.RxDropped, Help: "for which there was no buffer, or no driver"},
		{Name: "rx_filtered", Value: c.RxFiltered, Help: "kept away by the driver's filters"},
		{Name: "rx_segments", Value: c.RxSegments, Help: "frames that those of the wire were cut into"},
		{Name: "tx_dropped", Value: c.TxDropped, Help: "that the wire did not take"},
		{Name: "tx_errors", Value: c.TxErrors, Help: "of an invalid length or with an invalid header"},
		{Name: "tx_segments", Value: c.TxSegments, Help: "frames that packets were cut into"},
		{Name: "kicks", Value: c.Kicks, Help: "notifications of the driver"},
		{Name: "guest_notifications", Value: c.Calls, Help: "interrupts that were due"},
	}
}
