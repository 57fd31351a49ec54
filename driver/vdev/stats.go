package vdev

import "time"

// Stats counts what went through a device since it was made. Frames are counted
// without the virtio header, and as the driver has them: a packet that the device cuts is
// one transmitted frame, and dropped if the back end did not take all of it.
type Stats struct {
	TxFrames, TxBytes uint64 // taken by the back end
	TxDropped         uint64 // refused or lost by the back end, or the link was down
	TxErrors          uint64 // frames with an invalid length or header; they are dropped
	TxSegments        uint64 // frames that packets were cut into

	TxRARP uint64 // frames of SendRARP that the back end took; they are in no other count

	RxFrames, RxBytes uint64 // delivered to the driver
	RxDropped         uint64 // no buffer, or the link was down
	RxErrors          uint64 // frames too large for a buffer without MRG_RXBUF
	RxSegments        uint64 // frames that those of the back end were cut into
	RxFiltered        uint64 // frames that a filter of the driver keeps away, counted nowhere else

	Doorbells  uint64 // rung by the driver
	Interrupts uint64 // queue interrupts that were due and not masked
	Sleeps     uint64 // times that the device's goroutine went to sleep
}

// QueueStats counts what went through one virtqueue.
type QueueStats struct {
	Chains     uint64 // buffers used
	Bytes      uint64 // read from them or written to them, with headers
	Doorbells  uint64
	Interrupts uint64
}

// Stats returns the counters of the device. Those of a device that waits for memory of
// the driver are as they were before.
func (d *core) Stats() Stats {
	for !d.mu.TryLock() {
		if s := d.waiting.Load(); s != nil {
			return d.withLosses(*s)
		}
		time.Sleep(statsPause)
	}
	s := d.countStats()
	d.mu.Unlock()
	return d.withLosses(s)
}

// statsPause is the pause between two attempts to lock the device.
const statsPause = 20 * time.Microsecond

// countStats returns the counters of the device and of those that it replaces, without
// what the back end lost. d.mu is held.
func (d *core) countStats() Stats {
	s := d.stats
	s.TxDropped = d.dropped.Load()
	s.RxDropped, s.RxErrors, s.RxFiltered = d.missed.Load(), d.oversize.Load(), d.filtered.Load()
	s.Doorbells, s.Interrupts = d.base.Doorbells, d.base.Interrupts
	for i, q := range d.queues {
		if i%2 == 0 { // not so of the control queue, which counts none
			s.RxFrames += q.counts.packets
			s.RxBytes += q.counts.bytes
		}
		s.Doorbells += q.doorbells.Load()
		s.Interrupts += q.stats.Interrupts
	}
	return s
}

// withLosses counts what the back end lost as dropped.
func (d *core) withLosses(s Stats) Stats {
	if d.losses != nil {
		frames, bytes := d.losses.Lost()
		// It may have lost more frames than there were packets.
		s.TxFrames -= min(frames, s.TxFrames)
		s.TxBytes -= min(bytes, s.TxBytes)
		s.TxDropped += frames
	}
	return s
}

// TxDrops returns how many of the frames that the driver transmitted were dropped, as
// Stats.TxDropped, and their bytes. It waits for no lock.
func (d *core) TxDrops() (frames, bytes uint64) {
	frames, bytes = d.dropped.Load(), d.droppedBytes.Load()
	if d.losses != nil {
		f, b := d.losses.Lost()
		frames, bytes = frames+f, bytes+b
	}
	return frames, bytes
}

// RxMissed returns how many frames for the driver were dropped, as Stats.RxDropped and
// Stats.RxErrors together. It waits for no lock.
func (d *core) RxMissed() uint64 { return d.missed.Load() + d.oversize.Load() }

// RxFiltered returns how many frames a filter kept from the driver, as Stats.RxFiltered. It
// waits for no lock.
func (d *core) RxFiltered() uint64 { return d.filtered.Load() }

// QueueStats returns the counters of a virtqueue.
func (d *core) QueueStats(i int) QueueStats {
	d.mu.Lock()
	defer d.mu.Unlock()
	if i < 0 || i >= len(d.queues) {
		return QueueStats{}
	}
	s := d.queues[i].stats
	s.Doorbells = d.queues[i].doorbells.Load()
	return s
}

// ActivePairs returns how many queue pairs receive: one, until the driver sends
// VQ_PAIRS_SET, or RSS_CONFIG, after which it is those up to the last that it names.
func (d *core) ActivePairs() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.active
}
