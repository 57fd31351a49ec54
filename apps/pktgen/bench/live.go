package bench

import "github.com/virtio-pmd/virtio-pmd/apps/pktgen/result"

// begin notes what has been sent of each stream, as a trial begins.
func (b *Bench) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.base = b.sent(nil)
}

// sent returns what has been sent of each stream since base, by port and place.
func (b *Bench) sent(base [][]result.Stream) [][]result.Stream {
	list := make([][]result.Stream, len(b.config.Ports))
	for i := range list {
		list[i] = make([]result.Stream, b.programs(i))
		for j := range list[i] {
			s := &list[i][j]
			s.TxPackets, s.TxBytes = b.generator.Sent(i, j)
			if base != nil {
				s.TxPackets -= base[i][j].TxPackets
				s.TxBytes -= base[i][j].TxBytes
			}
		}
	}
	return list
}

// Streams returns what was sent and received so far of each stream in the trial that runs,
// or else in the last one. Packets that are under way count as lost in it.
func (b *Bench) Streams() []result.Stream {
	b.mu.Lock()
	base := b.base
	b.mu.Unlock()
	// What was received is looked at first, so that no more was received than sent.
	received := b.snapshots()
	sent := b.sent(base)
	var list []result.Stream
	for _, f := range b.flows {
		port := f.stream.Port
		list = append(list, f.result(b, sent[port], &received[b.config.Ports[port].Peer]))
	}
	return list
}
