package vhostback

// Counters are what went through a Backend since it was made, seen from its
// peers: Rx is what their drivers received, Tx what they transmitted. Frames are
// counted without the virtio header.
type Counters struct {
	RxPackets, RxBytes uint64
	RxDropped          uint64 // frames for which there was no buffer, or no driver
	TxPackets, TxBytes uint64
	TxDropped          uint64 // frames that the wire did not take
	TxErrors           uint64 // frames that break a rule of length
	Kicks              uint64 // notifications of the drivers
	Calls              uint64 // interrupts that were due
}

// Counters returns the counters now. In raw mode that disturbs nobody.
func (b *Backend) Counters() Counters {
	if b.raw != nil {
		return b.raw.counters()
	}
	s := b.device.Stats()
	return Counters{
		RxPackets: s.RxFrames, RxBytes: s.RxBytes, RxDropped: s.RxDropped + s.RxErrors,
		TxPackets: s.TxFrames, TxBytes: s.TxBytes, TxDropped: s.TxDropped, TxErrors: s.TxErrors,
		Kicks: s.Doorbells, Calls: s.Interrupts,
	}
}

func (r *raw) counters() (c Counters) {
	for i := range r.rings {
		q := &r.rings[i]
		if q.receives {
			c.RxPackets += q.count.packets.Load()
			c.RxBytes += q.count.bytes.Load()
		} else {
			c.TxPackets += q.count.packets.Load()
			c.TxBytes += q.count.bytes.Load()
		}
	}
	return c
}
