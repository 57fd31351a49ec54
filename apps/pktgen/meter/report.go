package meter

import "github.com/virtio-pmd/virtio-pmd/apps/pktgen/result"

// JitterMethod says what [Latency.Jitter] is.
const JitterMethod = "mean absolute difference of the latencies of packets that arrived one after the other"

// Summary returns the latencies as a report has them.
func (l *Latency) Summary() result.Latency {
	s := result.Latency{
		Samples: l.Samples(), Min: l.Min(), Max: l.Max(), Mean: l.Mean(), StdDev: l.StdDev(), Jitter: l.Jitter(),
		P50: l.Percentile(50), P90: l.Percentile(90), P99: l.Percentile(99),
		P999: l.Percentile(99.9), P9999: l.Percentile(99.99),
	}
	for _, p := range l.Curve() {
		s.Curve = append(s.Curve, result.Quantile{Percentile: p.Percentile, Value: p.Value})
	}
	return s
}

// Report writes what was received of the stream to that of a report, in which the counts of
// what was sent are set. What was due and not sent is lost.
func (s *StreamSnapshot) Report(to *result.Stream) {
	to.ID, to.Name, to.Tracked = s.ID, s.Name, true
	to.RxPackets, to.RxBytes = s.Packets(), s.Bytes
	to.Lost = s.Lost(to.TxPackets) + to.TxUnsent
	to.LossRatio = 0
	if due := to.TxPackets + to.TxUnsent; due > 0 {
		to.LossRatio = float64(to.Lost) / float64(due)
	}
	to.Reordered, to.Duplicates, to.Late, to.Stale = s.Reordered, s.Duplicate, s.Late, s.Stale
	to.Corrupt = result.Corrupt{Checksum: s.Corrupt.Checksum, Length: s.Corrupt.Length, Payload: s.Corrupt.Payload}
	if s.Latency != nil {
		l := s.Latency.Summary()
		to.Latency = &l
	}
}
