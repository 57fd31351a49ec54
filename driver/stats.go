package driver

import "github.com/virtio-pmd/virtio-pmd/driver/internal/virtq"

// Stats counts what a port did since it was opened.
type Stats struct {
	RxPackets, RxBytes uint64 // received; bytes from the destination address on
	RxErrors           uint64 // packets lost because the device wrote an invalid length or header
	RxMissed           uint64 // packets that the device dropped for want of a buffer, where it can be asked
	RxNoMbuf           uint64 // times a receive queue could not be refilled: the pool was empty
	TxPackets, TxBytes uint64 // made available to the device, less what that dropped
	TxDropped          uint64 // taken and not sent: shorter or longer than a frame may be, or dropped by the device
	TxErrors           uint64 // taken and not sent: freed before, of an unknown pool, too long a chain, an impossible offload
	TxLost             uint64 // of TxPackets: buffers that the device had when it was reset, sent or not
	Polls, EmptyPolls  uint64 // calls of RxQueue.Burst, and those that found nothing
	Kicks, Suppressed  uint64 // notifications of the device, and those that it did not ask for
	Waits, Interrupts  uint64 // sleeps of RxQueue.Wait and Waiter.Wait, and those that an interrupt ended
	Resets             uint64 // times the port was recovered by a reset
	Disconnects        uint64 // times the back end disconnected
	Refusals           uint64 // times a back end that connected again could not be set up
	Faults             FaultStats

	RxFiltered    uint64 // packets that the filters of the port kept away, where the device can be asked
	TxDeviceDrops uint64 // of TxDropped: taken and dropped by the device, where it can be asked

	Queues []QueueStats // one for each queue pair
}

// QueueStats are the counters of a queue pair.
type QueueStats struct {
	Rx RxQueueStats
	Tx TxQueueStats
}

// RxQueueStats are the counters of a receive queue.
type RxQueueStats struct {
	Packets, Bytes    uint64 // received
	Polls, EmptyPolls uint64 // calls of Burst, and those that found nothing
	Kicks, Rekicks    uint64 // notifications, and those sent again because nothing moved
	Suppressed        uint64 // notifications not sent, because the device did not ask for them
	NoMbuf            uint64 // times the ring could not be refilled: the pool was empty
	ChecksumGood      uint64 // packets of which the device has verified the checksum
	ChecksumPartial   uint64 // packets of which the checksum is to be completed
	LargePackets      uint64 // packets that would be several frames on a cable
	Dropped           uint64 // packets lost for one of the next three reasons
	LengthErrors      uint64 // an invalid length
	HeaderErrors      uint64 // an invalid number of buffers
	OffloadErrors     uint64 // a checksum field outside the packet, or an invalid segmentation
	ShortMerges       uint64 // buffers in the middle of a packet that were not full
	FlagErrors        uint64 // bursts with reserved flags in used descriptors
	CountErrors       uint64 // packets of one buffer, of a sample, with another number of buffers
	Concurrent        uint64 // bursts refused because another was in progress: see RxQueue
	Waits             uint64 // sleeps of Wait
	Interrupts        uint64 // of Waits: ended by an interrupt of the device
	SpuriousWakes     uint64 // of Interrupts: nothing had been received
	WaitTimeouts      uint64 // of Waits: ended after a tenth of a second without an interrupt, with nothing received
	LostInterrupts    uint64 // of Waits: ended likewise, with packets whose interrupt had not come: lost, or late
	Posted            int    // buffers that the device has now
}

// TxQueueStats are the counters of a transmit queue.
type TxQueueStats struct {
	Packets, Bytes uint64 // made available to the device
	Polls, Full    uint64 // calls of Burst, and those that could not take everything
	Kicks, Rekicks uint64 // notifications, and those sent again because nothing moved
	Suppressed     uint64 // notifications not sent, because the device did not ask for them

	Checksums         uint64 // packets of which the device completes the checksum
	LargePackets      uint64 // packets that the device cuts into frames
	SoftwareChecksums uint64 // packets of which the queue has completed the checksum, and frames
	SoftwareLarge     uint64 // packets that the queue has cut into frames; Packets counts them once
	SoftwareFrames    uint64 // the frames of these

	Dropped      uint64 // packets taken and not sent for one of the next reasons
	LengthDrops  uint64 // shorter than an Ethernet header or longer than the MTU allows
	ChainDrops   uint64 // more segments than the ring can take
	PoolDrops    uint64 // buffers of a pool that is not attached: see [Port.Attach]
	OwnerDrops   uint64 // nil, and buffers that were freed or sent before
	OffloadDrops uint64 // a request that the packet cannot have, or no buffers to cut it
	UsedLengths  uint64 // completions with a length, although nothing was to be written
	FlagErrors   uint64 // completions with reserved flags in used descriptors
	Concurrent   uint64 // bursts refused because another was in progress: see TxQueue
	Lost         uint64 // buffers that the device had when it was reset, sent or not
	Posted       int    // buffers that the device has now
}

// Stats returns the counters. Each is exact and may be a burst behind; they are not
// all of the same instant.
func (p *Port) Stats() Stats {
	d, sup := p.device, p.supervisor
	s := Stats{
		Resets: sup.resets.Load(), Disconnects: sup.disconnects.Load(), Refusals: sup.refusals.Load(),
		Faults: sup.faults.load(), Queues: make([]QueueStats, len(d.rx)),
	}
	var drops, dropBytes uint64
	if d.cfg.DeviceDrops != nil {
		drops, dropBytes = d.cfg.DeviceDrops() // before the queues', which may be a burst behind
	}
	if d.cfg.DeviceMisses != nil {
		s.RxMissed = d.cfg.DeviceMisses()
	}
	if d.cfg.DeviceFiltered != nil {
		s.RxFiltered = d.cfg.DeviceFiltered()
	}
	for i := range d.rx {
		rx, tx := d.rx[i].Stats(), d.tx[i].Stats()
		s.Queues[i] = QueueStats{Rx: rx, Tx: tx}
		s.RxPackets += rx.Packets
		s.RxBytes += rx.Bytes
		s.RxErrors += rx.Dropped
		s.RxNoMbuf += rx.NoMbuf
		s.TxPackets += tx.Packets
		s.TxBytes += tx.Bytes
		s.TxDropped += tx.LengthDrops
		s.TxErrors += tx.Dropped - tx.LengthDrops
		s.TxLost += tx.Lost
		s.Polls += rx.Polls
		s.EmptyPolls += rx.EmptyPolls
		s.Kicks += rx.Kicks + tx.Kicks
		s.Suppressed += rx.Suppressed + tx.Suppressed
		s.Waits += rx.Waits
		s.Interrupts += rx.Interrupts
	}
	drops = min(drops, s.TxPackets)
	s.TxPackets -= drops
	s.TxBytes -= min(dropBytes, s.TxBytes)
	s.TxDropped += drops
	s.TxDeviceDrops = drops
	return s
}

// Stats returns the counters of the queue.
func (q *RxQueue) Stats() RxQueueStats {
	q.statMu.Lock()
	defer q.statMu.Unlock()
	return q.total()
}

// total returns what all rings of the queue have counted. q.statMu is held.
func (q *RxQueue) total() RxQueueStats {
	s := q.past
	s.Concurrent = q.gate.Refused()
	q.sleep.waited.read(&s)
	if q.ring != nil {
		s.add(q.ring.Stats())
		s.Suppressed += q.ring.Suppressed()
		s.Posted = q.ring.Posted()
	}
	return s
}

func (s *RxQueueStats) add(c *virtq.RxStats) {
	s.Packets += c.Packets.Load()
	s.Bytes += c.Bytes.Load()
	empty := c.EmptyPolls.Load()
	s.Polls += c.BusyPolls.Load() + empty
	s.EmptyPolls += empty
	s.Rekicks += c.Rekicks.Load() // before Kicks, of which they are
	s.Kicks += c.Kicks.Load()
	s.NoMbuf += c.NoMbuf.Load()
	s.ChecksumGood += c.ChecksumGood.Load()
	s.ChecksumPartial += c.ChecksumPartial.Load()
	s.LargePackets += c.LargePackets.Load()
	s.LengthErrors += c.LengthErrors.Load()
	s.HeaderErrors += c.HeaderErrors.Load()
	s.OffloadErrors += c.OffloadErrors.Load()
	s.Dropped = s.LengthErrors + s.HeaderErrors + s.OffloadErrors // of what was read, which goes on
	s.ShortMerges += c.ShortMerges.Load()
	s.CountErrors += c.CountErrors.Load()
	s.FlagErrors += c.FlagErrors.Load()
}

// Stats returns the counters of the queue.
func (q *TxQueue) Stats() TxQueueStats {
	q.statMu.Lock()
	defer q.statMu.Unlock()
	return q.total()
}

// total returns what all rings of the queue have counted. q.statMu is held.
func (q *TxQueue) total() TxQueueStats {
	s := q.past
	s.Concurrent = q.gate.Refused()
	if q.ring != nil {
		s.add(q.ring.Stats())
		s.Suppressed += q.ring.Suppressed()
		s.Posted = q.ring.Posted()
	}
	return s
}

func (s *TxQueueStats) add(c *virtq.TxStats) {
	s.Packets += c.Packets.Load()
	s.Bytes += c.Bytes.Load()
	s.Full += c.Full.Load() // before Polls, of which they are
	s.Polls += c.Polls.Load()
	s.Rekicks += c.Rekicks.Load() // before Kicks, of which they are
	s.Kicks += c.Kicks.Load()
	s.Checksums += c.Checksums.Load()
	s.LargePackets += c.LargePackets.Load()
	s.SoftwareChecksums += c.SoftwareChecksums.Load()
	s.SoftwareLarge += c.SoftwareLarge.Load()
	s.SoftwareFrames += c.SoftwareFrames.Load()
	s.LengthDrops += c.LengthDrops.Load()
	s.ChainDrops += c.ChainDrops.Load()
	s.PoolDrops += c.PoolDrops.Load()
	s.OwnerDrops += c.OwnerDrops.Load()
	s.OffloadDrops += c.OffloadDrops.Load()
	s.Dropped = s.LengthDrops + s.ChainDrops + s.PoolDrops + s.OwnerDrops + s.OffloadDrops // of what was read, which goes on
	s.UsedLengths += c.UsedLengths.Load()
	s.FlagErrors += c.FlagErrors.Load()
}
