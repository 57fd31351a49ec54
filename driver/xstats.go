package driver

import "fmt"

// ExtendedStat is one counter of a port. The names are those that DPDK has, where it counts
// the same; Help says what is counted.
type ExtendedStat struct {
	Name  string
	Value uint64
	Help  string
}

// ExtendedStats returns all counters of the port by name, always in the same order.
func (p *Port) ExtendedStats() []ExtendedStat { return p.Stats().Extended() }

// Extended returns the counters by name: those of the port that DPDK has, those of each
// queue, and those that only this driver has. The sums hold in the counters that one call
// of [Port.Stats] returned:
//
//   - rx_good_packets and rx_good_bytes are the sums over rx_qN_packets and rx_qN_bytes;
//     rx_errors, rx_mbuf_allocation_errors, polls and empty_polls likewise;
//   - tx_good_packets and tx_device_drops together are the sum over tx_qN_packets;
//   - rx_qN_errors is the sum of rx_qN_length_errors, rx_qN_header_errors and
//     rx_qN_offload_errors;
//   - tx_dropped is tx_device_drops and the sum over tx_qN_length_drops, tx_errors the sum
//     over the other drops of the transmit queues;
//   - kicks and kicks_suppressed are the sums over all queues, waits and interrupts those
//     over the receive queues;
//   - faults is the sum over the kinds of faults.
func (s Stats) Extended() []ExtendedStat {
	list := make([]ExtendedStat, 0, len(portStats)+len(morePortStats)+
		len(s.Queues)*(len(rxStats)+len(txStats)+len(moreRxStats)+len(moreTxStats)))
	list = appendStats(list, "", portStats, &s)
	for i := range s.Queues {
		list = appendStats(list, fmt.Sprintf("rx_q%d_", i), rxStats, &s.Queues[i].Rx)
	}
	for i := range s.Queues {
		list = appendStats(list, fmt.Sprintf("tx_q%d_", i), txStats, &s.Queues[i].Tx)
	}
	list = appendStats(list, "", morePortStats, &s)
	for i := range s.Queues {
		list = appendStats(list, fmt.Sprintf("rx_q%d_", i), moreRxStats, &s.Queues[i].Rx)
	}
	for i := range s.Queues {
		list = appendStats(list, fmt.Sprintf("tx_q%d_", i), moreTxStats, &s.Queues[i].Tx)
	}
	return list
}

// stat is a counter of S: of a port or a queue.
type stat[S any] struct {
	name  string
	value func(*S) uint64
	help  string
}

func appendStats[S any](list []ExtendedStat, prefix string, stats []stat[S], from *S) []ExtendedStat {
	for _, c := range stats {
		list = append(list, ExtendedStat{Name: prefix + c.name, Value: c.value(from), Help: c.help})
	}
	return list
}

// The counters that DPDK has for a port and its queues, in its order.
var (
	portStats = []stat[Stats]{
		{"rx_good_packets", func(s *Stats) uint64 { return s.RxPackets }, "received"},
		{"tx_good_packets", func(s *Stats) uint64 { return s.TxPackets },
			"made available to the device, less what that dropped"},
		{"rx_good_bytes", func(s *Stats) uint64 { return s.RxBytes }, "of them, from the destination address on"},
		{"tx_good_bytes", func(s *Stats) uint64 { return s.TxBytes }, "likewise"},
		{"rx_missed_errors", func(s *Stats) uint64 { return s.RxMissed },
			"packets that the device dropped for want of a buffer, where it can be asked"},
		{"rx_errors", func(s *Stats) uint64 { return s.RxErrors },
			"packets dropped because the device wrote an invalid length or header"},
		{"tx_errors", func(s *Stats) uint64 { return s.TxErrors },
			"packets taken and not sent: freed before, of an unknown pool, too many segments"},
		{"rx_mbuf_allocation_errors", func(s *Stats) uint64 { return s.RxNoMbuf },
			"times a receive queue could not be refilled: the pool was empty"},
	}
	rxStats = []stat[RxQueueStats]{
		{"packets", func(s *RxQueueStats) uint64 { return s.Packets }, "received"},
		{"bytes", func(s *RxQueueStats) uint64 { return s.Bytes }, "of them"},
		{"errors", func(s *RxQueueStats) uint64 { return s.Dropped }, "packets dropped: length, header and offload errors"},
		{"good_packets", func(s *RxQueueStats) uint64 { return s.Packets }, "as packets: DPDK's virtio driver has both"},
		{"good_bytes", func(s *RxQueueStats) uint64 { return s.Bytes }, "as bytes"},
	}
	txStats = []stat[TxQueueStats]{
		{"packets", func(s *TxQueueStats) uint64 { return s.Packets }, "made available to the device"},
		{"bytes", func(s *TxQueueStats) uint64 { return s.Bytes }, "of them"},
		{"good_packets", func(s *TxQueueStats) uint64 { return s.Packets }, "as packets"},
		{"good_bytes", func(s *TxQueueStats) uint64 { return s.Bytes }, "as bytes"},
	}
)

// The counters that only this driver has.
var (
	morePortStats = []stat[Stats]{
		{"rx_filtered", func(s *Stats) uint64 { return s.RxFiltered },
			"packets that the filters of the port kept away, where the device can be asked"},
		{"tx_dropped", func(s *Stats) uint64 { return s.TxDropped },
			"packets taken and not sent: shorter or longer than a frame may be, or dropped by the device"},
		{"tx_device_drops", func(s *Stats) uint64 { return s.TxDeviceDrops },
			"of them, those that the device took and dropped, where it can be asked"},
		{"tx_lost", func(s *Stats) uint64 { return s.TxLost },
			"of tx_good_packets: buffers that the device had when it was reset, sent or not"},
		{"polls", func(s *Stats) uint64 { return s.Polls }, "receive bursts"},
		{"empty_polls", func(s *Stats) uint64 { return s.EmptyPolls }, "those of them that found nothing"},
		{"kicks", func(s *Stats) uint64 { return s.Kicks }, "notifications sent to the device"},
		{"kicks_suppressed", func(s *Stats) uint64 { return s.Suppressed },
			"notifications not sent, because the device did not ask for them"},
		{"waits", func(s *Stats) uint64 { return s.Waits }, "sleeps of receivers"},
		{"interrupts", func(s *Stats) uint64 { return s.Interrupts }, "those of them that an interrupt ended"},
		{"resets", func(s *Stats) uint64 { return s.Resets }, "recoveries by a reset of the device"},
		{"disconnects", func(s *Stats) uint64 { return s.Disconnects }, "times the back end disconnected"},
		{"refusals", func(s *Stats) uint64 { return s.Refusals },
			"times a back end that connected again could not be set up"},
		{"faults", func(s *Stats) uint64 { return s.Faults.Total() }, "reasons to recover, of the next kinds"},
		{"fault_broken_queue", func(s *Stats) uint64 { return s.Faults.BrokenQueue },
			"the device wrote something invalid into a virtqueue"},
		{"fault_needs_reset", func(s *Stats) uint64 { return s.Faults.NeedsReset }, "the device set DEVICE_NEEDS_RESET"},
		{"fault_lost_status", func(s *Stats) uint64 { return s.Faults.LostStatus },
			"the device was reset behind the driver's back, or its status is wrong"},
		{"fault_memory", func(s *Stats) uint64 { return s.Faults.Memory }, "shared memory could not be accessed"},
		{"fault_removed", func(s *Stats) uint64 { return s.Faults.Removed }, "the device was removed"},
	}
	moreRxStats = []stat[RxQueueStats]{
		{"polls", func(s *RxQueueStats) uint64 { return s.Polls }, "bursts"},
		{"empty_polls", func(s *RxQueueStats) uint64 { return s.EmptyPolls }, "those of them that found nothing"},
		{"kicks", func(s *RxQueueStats) uint64 { return s.Kicks }, "notifications sent"},
		{"kicks_suppressed", func(s *RxQueueStats) uint64 { return s.Suppressed }, "notifications the device did not ask for"},
		{"rekicks", func(s *RxQueueStats) uint64 { return s.Rekicks }, "of kicks: sent again because nothing moved"},
		{"waits", func(s *RxQueueStats) uint64 { return s.Waits }, "sleeps of the receiver"},
		{"interrupts", func(s *RxQueueStats) uint64 { return s.Interrupts }, "those of them that an interrupt ended"},
		{"spurious_wakes", func(s *RxQueueStats) uint64 { return s.SpuriousWakes },
			"interrupts with nothing received"},
		{"wait_timeouts", func(s *RxQueueStats) uint64 { return s.WaitTimeouts },
			"sleeps in which nothing happened for a tenth of a second"},
		{"lost_interrupts", func(s *RxQueueStats) uint64 { return s.LostInterrupts },
			"sleeps after which there were packets whose interrupt had not come: lost, or late"},
		{"refill_failures", func(s *RxQueueStats) uint64 { return s.NoMbuf },
			"times the ring could not be refilled: the pool was empty"},
		{"length_errors", func(s *RxQueueStats) uint64 { return s.LengthErrors }, "packets with an invalid length"},
		{"header_errors", func(s *RxQueueStats) uint64 { return s.HeaderErrors }, "packets with an invalid header"},
		{"offload_errors", func(s *RxQueueStats) uint64 { return s.OffloadErrors },
			"packets with a checksum field outside of them, or an invalid segmentation"},
		{"checksum_good", func(s *RxQueueStats) uint64 { return s.ChecksumGood },
			"packets of which the device has verified the checksum"},
		{"checksum_partial", func(s *RxQueueStats) uint64 { return s.ChecksumPartial },
			"packets of which the checksum is to be completed"},
		{"large_packets", func(s *RxQueueStats) uint64 { return s.LargePackets },
			"packets that would be several frames on a cable"},
		{"short_merges", func(s *RxQueueStats) uint64 { return s.ShortMerges },
			"buffers in the middle of a packet that were not full (accepted)"},
		{"flag_errors", func(s *RxQueueStats) uint64 { return s.FlagErrors },
			"bursts with reserved flags in used descriptors (ignored)"},
		{"count_errors", func(s *RxQueueStats) uint64 { return s.CountErrors },
			"packets of one buffer, of a sample, with another number of buffers (accepted)"},
		{"concurrent_bursts", func(s *RxQueueStats) uint64 { return s.Concurrent },
			"bursts refused because another goroutine was in one"},
	}
	moreTxStats = []stat[TxQueueStats]{
		{"polls", func(s *TxQueueStats) uint64 { return s.Polls }, "bursts"},
		{"ring_full", func(s *TxQueueStats) uint64 { return s.Full }, "those of them that could not take everything"},
		{"kicks", func(s *TxQueueStats) uint64 { return s.Kicks }, "notifications sent"},
		{"kicks_suppressed", func(s *TxQueueStats) uint64 { return s.Suppressed }, "notifications the device did not ask for"},
		{"rekicks", func(s *TxQueueStats) uint64 { return s.Rekicks }, "of kicks: sent again because nothing moved"},
		{"length_drops", func(s *TxQueueStats) uint64 { return s.LengthDrops },
			"packets shorter than an Ethernet header or longer than the MTU allows"},
		{"chain_drops", func(s *TxQueueStats) uint64 { return s.ChainDrops }, "packets of more segments than the ring takes"},
		{"pool_drops", func(s *TxQueueStats) uint64 { return s.PoolDrops }, "packets of a pool that is not attached"},
		{"owner_drops", func(s *TxQueueStats) uint64 { return s.OwnerDrops }, "packets that were nil, freed or sent before"},
		{"offload_drops", func(s *TxQueueStats) uint64 { return s.OffloadDrops },
			"packets with a request that they cannot have, or no buffers to cut them"},
		{"checksums", func(s *TxQueueStats) uint64 { return s.Checksums }, "packets of which the device completes the checksum"},
		{"large_packets", func(s *TxQueueStats) uint64 { return s.LargePackets }, "packets that the device cuts into frames"},
		{"software_checksums", func(s *TxQueueStats) uint64 { return s.SoftwareChecksums },
			"packets and frames of which the driver has completed the checksum"},
		{"software_large_packets", func(s *TxQueueStats) uint64 { return s.SoftwareLarge },
			"packets that the driver has cut into frames; packets counts them once"},
		{"software_frames", func(s *TxQueueStats) uint64 { return s.SoftwareFrames }, "the frames of these"},
		{"used_lengths", func(s *TxQueueStats) uint64 { return s.UsedLengths },
			"completions with a length, although nothing was to be written (ignored)"},
		{"flag_errors", func(s *TxQueueStats) uint64 { return s.FlagErrors },
			"completions with reserved flags in used descriptors (ignored)"},
		{"lost", func(s *TxQueueStats) uint64 { return s.Lost }, "buffers that the device had when it was reset, sent or not"},
		{"concurrent_bursts", func(s *TxQueueStats) uint64 { return s.Concurrent },
			"bursts refused because another goroutine was in one"},
	}
)
