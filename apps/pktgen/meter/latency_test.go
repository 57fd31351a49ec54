package meter

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/result"
)

// exact are the figures of latencies that are all remembered, in the order of arrival.
type exact []int64

func (e exact) mean() float64 {
	sum := 0.0
	for _, v := range e {
		sum += float64(v)
	}
	return sum / float64(len(e))
}

func (e exact) stdDev() float64 {
	mean, sum := e.mean(), 0.0
	for _, v := range e {
		sum += (float64(v) - mean) * (float64(v) - mean)
	}
	return math.Sqrt(sum / float64(len(e)))
}

func (e exact) jitter() (mean, smoothed float64) {
	for i := 1; i < len(e); i++ {
		d := math.Abs(float64(e[i] - e[i-1]))
		mean += d / float64(len(e)-1)
		smoothed += (d - smoothed) / 16
	}
	return mean, smoothed
}

// percentile is by the nearest rank.
func (e exact) percentile(p float64) int64 {
	sorted := slices.Sorted(slices.Values(e))
	rank := int(math.Ceil(p*float64(len(e))/100 - 1e-6)) // the product is inexact
	return sorted[max(rank, 1)-1]
}

// near reports whether two figures differ by at most the given part of the second.
func near(a, b, part float64) bool { return math.Abs(a-b) <= part*math.Abs(b) }

// checkLatency compares what was recorded with what should have been.
func checkLatency(t testing.TB, got *Latency, want exact) {
	t.Helper()
	if int(got.Samples()) != len(want) || got.Min() != slices.Min(want) || got.Max() != slices.Max(want) {
		t.Errorf("%d latencies from %d to %d, want %d from %d to %d",
			got.Samples(), got.Min(), got.Max(), len(want), slices.Min(want), slices.Max(want))
	}
	if !near(got.Mean(), want.mean(), 1e-9) || !near(got.StdDev(), want.stdDev(), 1e-6) {
		t.Errorf("mean %v, deviation %v, want %v, %v", got.Mean(), got.StdDev(), want.mean(), want.stdDev())
	}
	for _, p := range []float64{1, 10, 50, 90, 99, 99.9, 99.99, 100} {
		if v := want.percentile(p); !near(float64(got.Percentile(p)), float64(v), 0.002) {
			t.Errorf("percentile %v is %d, want %d", p, got.Percentile(p), v)
		}
	}
}

// drawn returns n latencies around some microseconds with a long tail, up to seconds.
func drawn(seed uint64, n int) exact {
	r := rand.New(rand.NewPCG(seed, 0))
	e := make(exact, n)
	for i := range e {
		e[i] = min(int64(5000*math.Exp(2*r.NormFloat64())), 20e9)
	}
	return e
}

// record gives a receiver packets with these latencies.
func record(s *source, r *Receiver, id uint16, from uint32, latencies exact) {
	for i, v := range latencies {
		now := int64(from)*1000 + int64(i)*1000 + 100e9
		receive(r, now, s.packet(60, id, from+uint32(i), now-v))
	}
}

// TestFiguresOfLatencies compares all figures with those of the latencies themselves.
// Reading in between changes nothing.
func TestFiguresOfLatencies(t *testing.T) {
	s := newSource(t, 8)
	r := newReceiver(t, Config{Streams: []Stream{{Latency: true}}})
	want := drawn(1, 20000)
	record(s, r, 0, 0, want[:7000])
	earlier := r.Snapshot().Streams[0].Latency
	record(s, r, 0, 7000, want[7000:])
	l := r.Snapshot().Streams[0].Latency
	checkLatency(t, l, want)
	jitter, smoothed := want.jitter()
	if !near(l.Jitter(), jitter, 1e-9) || !near(l.SmoothedJitter(), smoothed, 1e-9) {
		t.Errorf("jitter %v, smoothed %v, want %v, %v", l.Jitter(), l.SmoothedJitter(), jitter, smoothed)
	}
	if pdv := want.percentile(99.9) - slices.Min(want); !near(float64(l.PDV()), float64(pdv), 0.002) {
		t.Errorf("delay variation %d, want %d", l.PDV(), pdv)
	}

	since := l.Since(earlier)
	rest := want[7000:]
	if int(since.Samples()) != len(rest) || !near(since.Mean(), rest.mean(), 1e-6) ||
		!near(since.StdDev(), rest.stdDev(), 1e-6) || !near(float64(since.Min()), float64(slices.Min(rest)), 0.002) ||
		!near(float64(since.Max()), float64(slices.Max(rest)), 0.002) {
		t.Errorf("since the first snapshot: %+v", since.Summary())
	}
	if p := since.Percentile(99); !near(float64(p), float64(rest.percentile(99)), 0.002) {
		t.Errorf("99th percentile since the first snapshot is %d, want %d", p, rest.percentile(99))
	}
	if n := l.Since(l); n.Samples() != 0 || n.Min() != 0 || n.Max() != 0 || n.Mean() != 0 || n.Percentile(50) != 0 {
		t.Errorf("of nothing: %+v", n.Summary())
	}
}

// TestLatenciesTogether merges those of streams.
func TestLatenciesTogether(t *testing.T) {
	s := newSource(t, 8)
	r := newReceiver(t, Config{Streams: []Stream{{ID: 0, Latency: true}, {ID: 1, Latency: true}, {ID: 2, Latency: true}}})
	a, b := drawn(2, 3000), drawn(3, 5000)
	for i := range b {
		b[i] += 1e6
	}
	record(s, r, 0, 0, a)
	record(s, r, 1, 0, b)
	got := r.Snapshot()
	all := got.Streams[2].Latency // empty
	all.Merge(got.Streams[0].Latency)
	all.Merge(got.Streams[1].Latency)
	checkLatency(t, all, slices.Concat(a, b))
	checkLatency(t, r.Snapshot().Streams[1].Latency, b)
}

// TestTimesThatAreNone are counted and do not change the figures.
func TestTimesThatAreNone(t *testing.T) {
	s := newSource(t, 8)
	r := newReceiver(t, Config{Streams: []Stream{{Latency: true}}})
	const now = 1 << 40
	for i, sent := range []int64{
		now, now + 1, now - MaxLatency, now - MaxLatency - 1, 0, math.MinInt64, math.MaxInt64, -1, now - 7,
	} {
		receive(r, now, s.packet(60, 0, uint32(i), sent))
	}
	l := r.Snapshot().Streams[0].Latency
	if l.Samples() != 3 || l.Negative != 3 || l.TooLong != 3 || l.Min() != 0 || l.Max() != MaxLatency {
		t.Errorf("%d latencies from %d to %d, %d negative, %d too long",
			l.Samples(), l.Min(), l.Max(), l.Negative, l.TooLong)
	}
	if p := l.Percentile(50); p != 7 {
		t.Errorf("the median is %d", p)
	}
}

// TestLatencyOfWhichPackets: not of duplicates and of packets of an earlier trial.
func TestLatencyOfWhichPackets(t *testing.T) {
	s := newSource(t, 8)
	r := newReceiver(t, Config{Window: 64, Streams: []Stream{{Latency: true}}})
	r.Begin(map[uint16]uint32{0: 10})
	for i, seq := range []uint32{9, 10, 12, 11, 12, 200, 13} { // stale, in order twice, reordered, duplicate, in order, late
		receive(r, 100, s.packet(60, 0, seq, int64(i)))
	}
	got := r.Snapshot().Streams[0]
	if l := got.Latency; l.Samples() != 5 || l.Max() != 99 || l.Min() != 94 || got.Late != 1 {
		t.Errorf("%d latencies from %d to %d; %+v", l.Samples(), l.Min(), l.Max(), got.Counts)
	}
}

// TestReportOfAStream has the counts and the latency of a stream in the form of a report.
func TestReportOfAStream(t *testing.T) {
	s := newSource(t, 8)
	r := newReceiver(t, Config{Streams: []Stream{{ID: 3, Name: "probe", Latency: true}}})
	want := drawn(4, 1000)
	record(s, r, 3, 0, want)
	record(s, r, 3, 1001, want[:1])
	record(s, r, 3, 999, want[:1])
	got := r.Snapshot()
	to := result.Stream{TxPackets: 1005, TxUnsent: 5, TxPort: "a"}
	got.Streams[0].Report(&to)
	l := to.Latency
	to.Latency = nil
	if want := (result.Stream{
		ID: 3, Name: "probe", TxPort: "a", Tracked: true, TxPackets: 1005, TxUnsent: 5,
		RxPackets: 1002, RxBytes: 1002 * 60, Lost: 9, LossRatio: 9.0 / 1010, Duplicates: 1,
	}); to != want {
		t.Errorf("%+v, want %+v", to, want)
	}
	if l.Samples != 1001 || !near(float64(l.P9999), float64(want.percentile(99.99)), 0.002) || len(l.Curve) < 20 {
		t.Errorf("latency %+v", l)
	}
	last := result.Quantile{}
	for _, q := range l.Curve {
		if q.Percentile < last.Percentile || q.Value < last.Value || q.Value > l.Max || q.Value < l.Min {
			t.Errorf("the curve goes from %+v to %+v", last, q)
		}
		last = q
	}
	if last != (result.Quantile{Percentile: 100, Value: l.Max}) {
		t.Errorf("the curve ends at %+v", last)
	}
}
