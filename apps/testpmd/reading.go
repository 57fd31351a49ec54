package main

import "github.com/virtio-pmd/virtio-pmd/driver"

// reading is what the counters of a run are at one moment. Whatever is shown together is made
// from one reading, because they move.
type reading struct {
	ports   map[int]driver.Stats
	streams map[*stream]sending
	cycles  uint64 // of bursts
}

// sending is what a stream counts itself.
type sending struct {
	sent    uint64 // if it shares its transmit queue
	dropped uint64 // because that was full
}

// read returns the counters of a run that is in progress, or else those at its end.
func (r *testRun) read(ports []*driver.Port) *reading {
	if r.ended != nil {
		return r.ended
	}
	n := &reading{ports: map[int]driver.Stats{}, streams: map[*stream]sending{}, cycles: r.engine.busy()}
	for _, i := range r.engine.ports {
		n.ports[i] = ports[i].Stats()
		for _, s := range r.engine.outs[i] {
			n.streams[s] = sending{sent: s.sent.Load(), dropped: s.dropped.Load()}
		}
	}
	return n
}

// gained returns what the run did since its counters were cleared.
func (r *testRun) gained(ports []*driver.Port) *reading {
	now := r.read(ports)
	n := &reading{ports: map[int]driver.Stats{}, streams: map[*stream]sending{}, cycles: now.cycles - r.begun.cycles}
	for i, p := range now.ports {
		n.ports[i] = since(p, r.begun.ports[i])
	}
	for s, c := range now.streams {
		last := r.begun.streams[s]
		n.streams[s] = sending{sent: c.sent - last.sent, dropped: c.dropped - last.dropped}
	}
	return n
}

// since returns counters without what they had before. A device may drop later what it had taken
// before: then packets are neither sent nor dropped since.
func since(now, before driver.Stats) driver.Stats {
	now.RxPackets -= before.RxPackets
	now.RxBytes -= before.RxBytes
	now.RxErrors -= before.RxErrors
	now.RxMissed -= before.RxMissed
	now.RxNoMbuf -= before.RxNoMbuf
	now.TxDropped -= before.TxDropped
	now.TxErrors -= before.TxErrors
	now.TxDropped -= min(now.TxDropped, before.TxPackets-min(before.TxPackets, now.TxPackets))
	now.TxPackets -= min(now.TxPackets, before.TxPackets)
	now.TxBytes -= min(now.TxBytes, before.TxBytes)
	queues := make([]driver.QueueStats, len(now.Queues))
	for i := range min(len(now.Queues), len(before.Queues)) {
		queues[i].Rx.Packets = now.Queues[i].Rx.Packets - before.Queues[i].Rx.Packets
		queues[i].Tx.Packets = now.Queues[i].Tx.Packets - before.Queues[i].Tx.Packets
		queues[i].Tx.Dropped = now.Queues[i].Tx.Dropped - before.Queues[i].Tx.Dropped
	}
	now.Queues = queues
	return now
}

// traffic returns what port i did.
func (n *reading) traffic(e *engine, i int) traffic {
	p := n.ports[i]
	t := traffic{rx: p.RxPackets, rxDropped: p.RxMissed, rxErrors: p.RxErrors, noMbuf: p.RxNoMbuf,
		tx: p.TxPackets, txDropped: p.TxDropped + p.TxErrors}
	for _, s := range e.outs[i] {
		t.txDropped += n.streams[s].dropped
	}
	for _, s := range e.streams {
		if s.from == i {
			t.badIP += s.badIP.Load()
			t.badL4 += s.badL4.Load()
		}
	}
	return t
}

// stream returns what a stream did: what its queues did, or of a transmit queue that others use
// as well, what it took of the stream.
func (n *reading) stream(s *stream) (received, sent, dropped uint64) {
	if s.rx != nil {
		received = n.ports[s.from].Queues[s.rxQueue].Rx.Packets
	}
	if s.tx == nil {
		return received, 0, 0
	}
	c, q := n.streams[s], n.ports[s.number].Queues[s.txQueue].Tx
	if s.shared {
		return received, c.sent, c.dropped
	}
	return received, q.Packets, c.dropped + q.Dropped
}
