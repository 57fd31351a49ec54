package driver

// misuse is what an application does to a queue that it must not do. The queue counts
// it, and it is logged once a queue.
type misuse struct {
	count  uint64
	what   string
	remedy string
}

// misuses returns what the application has done to a receive queue.
func (s *RxQueueStats) misuses() [1]misuse {
	return [...]misuse{concurrentUse(s.Concurrent)}
}

// misuses returns what the application has done to a transmit queue.
func (s *TxQueueStats) misuses() [6]misuse {
	return [...]misuse{
		concurrentUse(s.Concurrent),
		{s.OwnerDrops, "packets to transmit are nil, or were freed or sent before",
			"do not touch a buffer after a burst took it or it was freed"},
		{s.PoolDrops, "packets to transmit are in a pool that the port does not have, and are dropped",
			"call Port.Attach with the pool first"},
		{s.LengthDrops, "packets to transmit are shorter than an Ethernet header or longer than the MTU, and are dropped",
			"send packets of another length, or raise Config.MTU (mtu= on a command line) if the device allows"},
		{s.ChainDrops, "packets to transmit have more segments than the ring takes, or are linked to themselves",
			"call Linearize, or take a larger TxQueueSize"},
		{s.OffloadDrops, "packets to transmit ask for a checksum or for segments that they cannot have, or the pool " +
			"has no buffers for the segments",
			"use PrepareChecksum and PrepareSegmentation, whose errors say what is wrong, and take a larger pool"},
	}
}

func concurrentUse(bursts uint64) misuse {
	return misuse{bursts, "two goroutines poll the queue, or a burst panicked and did not end",
		"poll each queue from one goroutine, and close the port after a panic"}
}

// reportMisuse logs what the application has done to the queues, each kind once a
// queue. It belongs to one goroutine.
func (d *device) reportMisuse() {
	for i := range d.rx {
		rx, tx := d.rx[i].Stats(), d.tx[i].Stats()
		ofRx, ofTx := rx.misuses(), tx.misuses()
		d.reported(d.rx[i].index, ofRx[:])
		d.reported(d.tx[i].index, ofTx[:])
	}
}

// reported logs those that happened, unless they were logged before.
func (d *device) reported(queue int, all []misuse) {
	for _, m := range all {
		key := misuseKey{queue, m.what}
		if m.count == 0 || d.misused[key] {
			continue
		}
		if d.misused == nil {
			d.misused = map[misuseKey]bool{}
		}
		d.misused[key] = true
		d.log.Error("misuse of a queue", "virtqueue", queue, "what", m.what, "times", m.count, "remedy", m.remedy)
	}
}

// misuseKey is a kind of misuse of a virtqueue.
type misuseKey struct {
	queue int
	what  string
}
