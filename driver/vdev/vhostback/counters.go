package vhostback

// Counters count what went through a [Backend] since it was made, as its peers see
// it: Rx is what their drivers received, Tx what they transmitted. Frames are
// counted without the virtio header.
type Counters struct {
	RxPackets, RxBytes uint64
	RxDropped          uint64 // frames for which there was no buffer, or no driver
	RxFiltered         uint64 // frames that the drivers' filters kept away
	RxSegments         uint64 // frames that those of the wire were cut into
	TxPackets, TxBytes uint64
	TxDropped          uint64 // frames that the wire did not take
	TxErrors           uint64 // frames that break a rule of length
	TxSegments         uint64 // frames that packets were cut into
	TxRARP             uint64 // frames that front ends asked for (SEND_RARP), in no other count
	Kicks              uint64 // notifications of the drivers
	Calls              uint64 // interrupts that were due
}

// Counters returns the counters now. In raw mode that does not delay [Backend.Poll].
func (b *Backend) Counters() Counters {
	s := b.unit.Load().engine.Stats()
	if b.cfg.Raw != nil {
		s = b.withLost(s)
	}
	return Counters{
		RxPackets: s.RxFrames, RxBytes: s.RxBytes, RxDropped: s.RxDropped + s.RxErrors,
		RxFiltered: s.RxFiltered, RxSegments: s.RxSegments, TxSegments: s.TxSegments,
		TxPackets: s.TxFrames, TxBytes: s.TxBytes, TxDropped: s.TxDropped, TxErrors: s.TxErrors, TxRARP: s.TxRARP,
		Kicks: s.Doorbells, Calls: s.Interrupts,
	}
}
