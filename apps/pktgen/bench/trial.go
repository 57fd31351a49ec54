package bench

import (
	"cmp"
	"context"
	"slices"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/generator"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/meter"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/result"
)

// Trial runs a trial and returns what was sent and received, as [generator.Generator.Trial]
// does, with what the meter knows of each stream. Received and
// OnInterval of r are not used.
//
// With a [*generator.ShortError] and with the error of a context that ended, the result is
// complete as well.
func (b *Bench) Trial(ctx context.Context, r generator.Run) (*result.Trial, error) {
	b.begin(cmp.Or(r.Scale, 1))
	r.Received, r.OnInterval = b.arrivals(), b.intervals()
	t, err := b.generator.Trial(ctx, r)
	if t == nil {
		return nil, err
	}
	b.complete(t, b.snapshots())
	return t, err
}

// intervals returns what adds the latency of its packets to an interval; nil if none is
// measured.
func (b *Bench) intervals() func(*result.Interval) {
	if !slices.ContainsFunc(b.flows, func(f *flow) bool { return f.stream.Latency }) {
		return nil
	}
	var last *meter.Latency
	return func(i *result.Interval) {
		now := b.Latency()
		recent := now
		if last != nil {
			recent = now.Since(last)
		}
		last = now
		if recent.Samples() > 0 {
			i.LatencyP50, i.LatencyP99, i.LatencyMax = recent.Percentile(50), recent.Percentile(99), recent.Max()
		}
	}
}

// Latency returns the latencies of all streams together in the trial that runs, or else in
// the last one; nil if none is measured.
func (b *Bench) Latency() *meter.Latency {
	var all *meter.Latency
	for _, s := range b.snapshots() {
		for i := range s.Streams {
			switch l := s.Streams[i].Latency; {
			case l == nil:
			case all == nil:
				all = l
			default:
				all.Merge(l)
			}
		}
	}
	return all
}

// firstNumbers returns the sequence number of the next packet of each stream that arrives
// at a port.
func (b *Bench) firstNumbers(port int) map[uint16]uint32 {
	first := make(map[uint16]uint32)
	for _, f := range b.flows {
		if b.config.Ports[f.stream.Port].Peer == port {
			for _, p := range f.programs {
				first[p.ID()] = p.Sequence()
			}
		}
	}
	return first
}

// arrivals returns a function that says how many packets of the streams have been received:
// each once, and all of those that carry no signature.
func (b *Bench) arrivals() func() uint64 {
	if b.tracked() {
		return func() uint64 {
			var n uint64
			for _, r := range b.receivers {
				n += r.Unique()
			}
			return n
		}
	}
	return func() uint64 {
		var n uint64
		for _, s := range b.snapshots() {
			n += s.Unknown.Packets
			for i := range s.Streams {
				n += s.Streams[i].Unique()
			}
		}
		return n
	}
}

// tracked reports whether all streams carry signatures.
func (b *Bench) tracked() bool {
	return !slices.ContainsFunc(b.flows, func(f *flow) bool { return !f.tracked() })
}

func (b *Bench) snapshots() []meter.Snapshot {
	list := make([]meter.Snapshot, len(b.receivers))
	for i, r := range b.receivers {
		list[i] = r.Snapshot()
	}
	return list
}

// complete replaces the streams of t, which are one for each queue, by those of the bench
// with what was received of them, and puts losses right that the generator can only know as
// a sum.
func (b *Bench) complete(t *result.Trial, received []meter.Snapshot) {
	sent := t.Streams
	t.Streams = nil
	first := make([]int, len(b.config.Ports)) // of sent, for each port
	for i := range first[1:] {
		first[i+1] = first[i] + b.programs(i)
	}
	for _, f := range b.flows {
		port := f.stream.Port
		t.Streams = append(t.Streams, f.result(b, sent[first[port]:], &received[b.config.Ports[port].Peer]))
	}
	b.recount(t, received)
	for i := range t.Ports {
		t.Ports[i].RxUnknown = received[i].Unknown.Packets + received[i].Invalid.Packets
		for _, e := range received[i].Examples {
			t.Examples = append(t.Examples, t.Ports[i].Name+": "+e.String())
		}
	}
	t.Lost = b.lost(t, received)
	t.LossRatio = result.LossRatio(t.Sent+t.Unsent, t.Lost)
}

// recount makes what the ports of t received what the meter has of it: packets may arrive
// between a look at the one and at the other.
func (b *Bench) recount(t *result.Trial, received []meter.Snapshot) {
	var before, packets, bytes uint64
	for i := range t.Ports {
		p := &t.Ports[i]
		before += p.RxPackets
		p.RxPackets, p.RxBytes = received[i].Packets(), received[i].Bytes()
		packets, bytes = packets+p.RxPackets, bytes+p.RxBytes
	}
	if before > 0 && packets > 0 {
		t.Received = result.NewRate(t.Received.PPS*float64(packets)/float64(before), float64(bytes)/float64(packets))
	}
}

// programs returns how many streams, one for each queue, leave by a port.
func (b *Bench) programs(port int) int {
	n := 0
	for _, f := range b.flows {
		if f.stream.Port == port {
			n += len(f.sources)
		}
	}
	return n
}

// result returns what was sent and received of a stream.
func (f *flow) result(b *Bench, sent []result.Stream, received *meter.Snapshot) result.Stream {
	ports := b.config.Ports
	s := result.Stream{
		ID: f.sources[0].ID(), Name: f.stream.Name, TxPort: ports[f.stream.Port].Name,
		RxPort: ports[ports[f.stream.Port].Peer].Name, Tracked: f.tracked(),
	}
	for i, p := range f.sources {
		tx := &sent[f.at[i]]
		s.TxPackets += tx.TxPackets
		s.TxBytes += tx.TxBytes
		s.TxUnsent += tx.TxUnsent
		if rx := find(received, p.ID()); rx != nil {
			s.RxPackets += rx.Packets() - rx.Stale
			s.RxBytes += rx.Bytes
			s.Lost += rx.Lost(tx.TxPackets) + tx.TxUnsent
			s.Reordered += rx.Reordered
			s.Duplicates += rx.Duplicate
			s.Late += rx.Late
			s.Stale += rx.Stale
			s.Corrupt.Checksum += rx.Corrupt.Checksum
			s.Corrupt.Length += rx.Corrupt.Length
			s.Corrupt.Payload += rx.Corrupt.Payload
			if rx.Latency != nil && rx.Latency.Samples() > 0 {
				l := rx.Latency.Summary()
				s.Latency = &l
			}
		}
	}
	s.LossRatio = result.LossRatio(s.TxPackets+s.TxUnsent, s.Lost)
	return s
}

func find(s *meter.Snapshot, id uint16) *meter.StreamSnapshot {
	for i := range s.Streams {
		if s.Streams[i].ID == id {
			return &s.Streams[i]
		}
	}
	return nil
}

// lost returns how many packets of all streams are lost. What is lost of those that carry
// no signature is known by port: they arrive as unknown packets.
func (b *Bench) lost(t *result.Trial, received []meter.Snapshot) uint64 {
	var lost uint64
	untracked := make([]uint64, len(b.config.Ports))
	for i, f := range b.flows {
		s := &t.Streams[i]
		lost += s.Lost
		if !s.Tracked {
			untracked[b.config.Ports[f.stream.Port].Peer] += s.TxPackets + s.TxUnsent
		}
	}
	for i, n := range untracked {
		lost += n - min(n, received[i].Unknown.Packets)
	}
	return lost
}
