package virtq

import "github.com/virtio-pmd/virtio-pmd/driver/internal/stat"

// RxStats counts what a receive queue did. The queue's owner writes, any
// goroutine may read.
type RxStats struct {
	Packets, Bytes        stat.Counter // delivered to the application; bytes without the header
	BusyPolls, EmptyPolls stat.Counter // calls of Burst that received something, and nothing
	Kicks                 stat.Counter // doorbell rings
	Rekicks               stat.Counter // those of them that the watchdog rang
	NoMbuf                stat.Counter // times the pool had too few buffers to fill the ring

	ChecksumGood    stat.Counter // packets of which the device has verified the checksum
	ChecksumPartial stat.Counter // packets of which it is to be completed
	LargePackets    stat.Counter // packets that the device merged, or that were never cut

	// Packets that were lost, by the reason.
	LengthErrors  stat.Counter // shorter than a header and a frame, or longer than what was posted
	HeaderErrors  stat.Counter // a full buffer with num_buffers of 0 or more than a packet can have
	OffloadErrors stat.Counter // a checksum field outside the packet, an unknown segmentation, a segment of 0

	ShortMerges stat.Counter // buffers but the last of a packet that were not full (accepted)
	CountErrors stat.Counter // packets of one buffer with another num_buffers (accepted), of a sample
	FlagErrors  stat.Counter // bursts with reserved flags in used descriptors (ignored)
}

// TxStats counts what a transmit queue did. The queue's owner writes, any
// goroutine may read.
type TxStats struct {
	Packets, Bytes stat.Counter // made available to the device; bytes without the header
	Polls          stat.Counter // calls of Burst
	Full           stat.Counter // those of them that could not take everything
	Kicks          stat.Counter // doorbell rings
	Rekicks        stat.Counter // those of them that the watchdog rang

	Checksums         stat.Counter // packets of which the device completes the checksum
	LargePackets      stat.Counter // packets that the device cuts into frames
	SoftwareChecksums stat.Counter // packets of which the queue completed the checksum
	SoftwareLarge     stat.Counter // packets that the queue cut into frames
	SoftwareFrames    stat.Counter // the frames of these

	// Packets that were taken and freed instead of sent, by the reason.
	LengthDrops  stat.Counter // shorter than an Ethernet header or longer than MaxFrame
	ChainDrops   stat.Counter // more segments than the ring can take
	PoolDrops    stat.Counter // in memory that this device cannot reach
	OwnerDrops   stat.Counter // nil, or not held by the application: freed or sent before
	OffloadDrops stat.Counter // a request that the packet cannot have, or no buffers to cut it

	UsedLengths stat.Counter // reclaims with a used length that is not 0 (ignored)
	FlagErrors  stat.Counter // reclaims with reserved flags in used descriptors (ignored)
}

// Dropped returns how many packets were lost.
func (s *RxStats) Dropped() uint64 {
	return s.LengthErrors.Load() + s.HeaderErrors.Load() + s.OffloadErrors.Load()
}

// Dropped returns how many packets were taken and freed instead of sent.
func (s *TxStats) Dropped() uint64 {
	return s.LengthDrops.Load() + s.ChainDrops.Load() + s.PoolDrops.Load() + s.OwnerDrops.Load() + s.OffloadDrops.Load()
}
