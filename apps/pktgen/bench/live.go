package bench

import (
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/meter"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/result"
)

// begin begins a trial at a scale of the rates: what was received counts anew, and what has
// been sent of each stream is noted. Streams sees neither without the other.
func (b *Bench) begin(scale float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.scale = scale
	for i, m := range b.receivers {
		m.Begin(b.firstNumbers(i))
	}
	b.base, b.looked = b.sent(nil), nil
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
// or else in the last one. A packet that was not received is lost if one behind it was, or
// if it was sent before Streams was called the last time: others may be under way.
func (b *Bench) Streams() []result.Stream {
	b.mu.Lock()
	defer b.mu.Unlock()
	// What was received is looked at first, so that no more was received than sent.
	received := b.snapshots()
	sent := b.sent(b.base)
	var list []result.Stream
	looked := make([]uint64, len(b.flows))
	for i, f := range b.flows {
		port := f.stream.Port
		rx := &received[b.config.Ports[port].Peer]
		s := f.result(b, sent[port], rx)
		arrived := s.TxPackets - min(s.Lost, s.TxPackets)
		s.Lost = f.missing(rx)
		if b.looked != nil && b.looked[i] > arrived {
			s.Lost = max(s.Lost, b.looked[i]-arrived)
		}
		looked[i] = s.TxPackets
		list = append(list, s)
	}
	b.looked = looked
	return list
}

// missing returns how many packets of a stream others behind them have overtaken.
func (f *flow) missing(received *meter.Snapshot) (n uint64) {
	for _, p := range f.sources {
		if rx := find(received, p.ID()); rx != nil {
			n += rx.Missing()
		}
	}
	return n
}

// Latency is the latency of a stream.
type Latency struct {
	Stream string // its name
	*meter.Latency
}

// Latencies returns the latencies so far of the streams of which they are measured, in the
// trial that runs, or else in the last one.
func (b *Bench) Latencies() []Latency {
	received := b.snapshots()
	var list []Latency
	for _, f := range b.flows {
		var l *meter.Latency
		for _, p := range f.sources {
			rx := find(&received[b.config.Ports[f.stream.Port].Peer], p.ID())
			switch {
			case rx == nil || rx.Latency == nil:
			case l == nil:
				l = rx.Latency
			default:
				l.Merge(rx.Latency)
			}
		}
		if l != nil {
			list = append(list, Latency{Stream: f.stream.Name, Latency: l})
		}
	}
	return list
}
