package meter

import (
	"math"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// MaxLatency is the longest latency that is recorded, in nanoseconds: a minute.
const MaxLatency = 60e9

// digits is how many decimal digits of a latency the histogram has.
const digits = 3

// latency is what the receiver holds of the latency of a stream.
type latency struct {
	sides [2]Latency
	// Of the trial:
	any       bool    // a latency was recorded
	last      int64   // the one before
	reference int64   // the first one
	smoothed  float64 // the jitter of RFC 3550
}

func newLatency() *latency {
	l := new(latency)
	for i := range l.sides {
		l.sides[i] = *newSummary()
	}
	return l
}

// begin forgets an earlier trial.
func (l *latency) begin() { l.any, l.smoothed = false, 0 }

// record records the latency of a packet.
func (l *latency) record(side int, v int64) {
	s := &l.sides[side]
	if uint64(v) > MaxLatency {
		s.countInvalid(v)
		return
	}
	if !l.any {
		l.any, l.last, l.reference = true, v, v
	} else {
		d := max(v-l.last, l.last-v)
		l.last = v
		l.smoothed += (float64(d) - l.smoothed) / 16
		s.differences++
		s.differenceSum += uint64(d)
	}
	s.smoothed = l.smoothed
	s.reference = l.reference
	s.record(v)
}

// Latency is the distribution of the latencies of a stream, in nanoseconds.
type Latency struct {
	Negative uint64 // packets that were received before they were sent
	TooLong  uint64 // packets with a latency over MaxLatency, or no time at all

	histogram     *hdr.Histogram
	min, max      int64
	reference     int64 // which the next two are about, so that they are small
	sum           int64
	squares       float64
	differences   uint64
	differenceSum uint64
	smoothed      float64
}

func newSummary() *Latency {
	return &Latency{histogram: hdr.New(1, MaxLatency, digits), min: math.MaxInt64}
}

// countInvalid counts a latency that is not recorded.
func (l *Latency) countInvalid(v int64) {
	if v < 0 {
		l.Negative++
	} else {
		l.TooLong++
	}
}

// record records a latency from 0 to MaxLatency, which the histogram has room for.
func (l *Latency) record(v int64) {
	_ = l.histogram.RecordValue(v)
	l.min = min(l.min, v)
	l.max = max(l.max, v)
	d := v - l.reference
	l.sum += d
	l.squares += float64(d) * float64(d)
}

// add adds the latencies of a later part of the same trial.
func (l *Latency) add(d *Latency) {
	l.Negative += d.Negative
	l.TooLong += d.TooLong
	if d.Samples() == 0 {
		return
	}
	l.histogram.Merge(d.histogram)
	l.min = min(l.min, d.min)
	l.max = max(l.max, d.max)
	l.reference = d.reference
	l.sum += d.sum
	l.squares += d.squares
	l.differences += d.differences
	l.differenceSum += d.differenceSum
	l.smoothed = d.smoothed
}

// Merge adds the latencies of another stream or receiver. Jitter becomes the mean of both;
// SmoothedJitter that of the other, if it has any.
func (l *Latency) Merge(other *Latency) {
	d := *other
	shift := d.reference - l.reference
	if l.Samples() == 0 {
		l.reference, shift = d.reference, 0
	}
	n := int64(d.Samples())
	// About the reference of l: (v+shift) and (v+shift)², summed up.
	d.squares += float64(shift) * (2*float64(d.sum) + float64(shift)*float64(n))
	d.sum += shift * n
	d.reference = l.reference
	l.add(&d)
}

// Since returns the latencies that l has and earlier, of the same stream and trial, has
// not. Their minimum and maximum are those of the histogram, to three significant digits.
func (l *Latency) Since(earlier *Latency) *Latency {
	d := l.clone()
	counts, before := d.histogram.Export(), earlier.histogram.Export()
	for i := range counts.Counts {
		counts.Counts[i] -= before.Counts[i]
	}
	d.histogram = hdr.Import(counts)
	d.Negative -= earlier.Negative
	d.TooLong -= earlier.TooLong
	d.differences -= earlier.differences
	d.differenceSum -= earlier.differenceSum
	if d.min, d.max = math.MaxInt64, 0; d.Samples() > 0 {
		d.min, d.max = max(d.histogram.ValueAtPercentile(0), l.min), min(d.histogram.Max(), l.max)
	}
	if earlier.Samples() > 0 { // about the same reference
		d.sum -= earlier.sum
		d.squares -= earlier.squares
	}
	return d
}

// clear makes l as new.
func (l *Latency) clear() {
	h := l.histogram
	if h.TotalCount() > 0 {
		h.Reset()
	}
	*l = Latency{histogram: h, min: math.MaxInt64}
}

// clone returns a copy that shares nothing with l.
func (l *Latency) clone() *Latency {
	c := *l
	c.histogram = l.histogram.Clone()
	return &c
}

// Samples returns how many latencies were recorded.
func (l *Latency) Samples() uint64 { return uint64(l.histogram.TotalCount()) }

// Min returns the smallest latency, 0 if there is none.
func (l *Latency) Min() int64 {
	if l.Samples() == 0 {
		return 0
	}
	return l.min
}

// Max returns the largest latency, 0 if there is none.
func (l *Latency) Max() int64 { return l.max }

// Percentile returns the latency that p percent of the packets did not exceed, to three
// significant digits; 0 if there is none. It is that of the packet with the nearest rank:
// with fewer than 10,000 packets, the percentile 99.99 is the maximum.
func (l *Latency) Percentile(p float64) int64 {
	n := float64(l.Samples())
	if n == 0 {
		return 0
	}
	rank := math.Ceil(p*n/100 - 1e-6) // which the product may be off by
	return min(max(l.histogram.ValueAtPercentile(100*rank/n), l.Min()), l.max)
}

// Mean returns the arithmetic mean, 0 if there is no latency.
func (l *Latency) Mean() float64 {
	if n := l.Samples(); n > 0 {
		return float64(l.reference) + float64(l.sum)/float64(n)
	}
	return 0
}

// StdDev returns the standard deviation of the packets, 0 if there are none.
func (l *Latency) StdDev() float64 {
	n := float64(l.Samples())
	if n == 0 {
		return 0
	}
	mean := float64(l.sum) / n
	return math.Sqrt(max(l.squares/n-mean*mean, 0))
}

// Jitter returns the mean absolute difference of the latencies of packets that arrived
// one after the other, 0 if there are fewer than two.
func (l *Latency) Jitter() float64 {
	if l.differences == 0 {
		return 0
	}
	return float64(l.differenceSum) / float64(l.differences)
}

// SmoothedJitter returns the interarrival jitter of RFC 3550 after the last packet: the
// same differences, each with a weight of one sixteenth.
func (l *Latency) SmoothedJitter() float64 { return l.smoothed }

// PDV returns the packet delay variation of RFC 8219: the 99.9th percentile less the
// minimum.
func (l *Latency) PDV() int64 { return l.Percentile(99.9) - l.Min() }

// Point is a point of a distribution: Percentile percent of the packets had a latency
// of at most Value nanoseconds.
type Point struct {
	Percentile float64
	Value      int64
	Count      uint64 // how many packets that are
}

// Curve returns the distribution for a plot, from the minimum to the maximum: ten
// points each time that the packets above are half as many.
func (l *Latency) Curve() []Point {
	var points []Point
	for _, b := range l.histogram.CumulativeDistributionWithTicks(10) {
		points = append(points, Point{
			Percentile: b.Quantile, Count: uint64(b.Count), Value: min(max(b.ValueAt, l.Min()), l.max),
		})
	}
	return points
}

// Histogram returns a copy of the histogram.
func (l *Latency) Histogram() *hdr.Histogram { return l.histogram.Clone() }
