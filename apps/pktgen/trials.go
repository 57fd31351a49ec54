package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/bench"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/generator"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/result"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
)

// maxIntervals is how many intervals a trial of a known duration is noted in.
const maxIntervals = 200

// trials sends for the planned duration, or until ctx ends. Each time that the user stops
// and starts is a trial.
func (m *measurement) trials(ctx context.Context, size result.Size) error {
	var errs []error
	end := time.Now().Add(m.plan.options.Duration)
	for n := 1; ; n++ {
		left := time.Duration(0)
		if m.plan.options.Duration > 0 {
			if left = time.Until(end).Round(time.Millisecond); left <= 0 {
				break
			}
		}
		run, ok := m.live.begin(ctx, left)
		if !ok {
			break // it was stopped until the end
		}
		b, _ := m.rig.current()
		t, err := b.Trial(run, generator.Run{Duration: left, Interval: interval(left),
			Scale: m.live.scale(), Tolerance: m.tolerance(b)})
		stopped := m.live.end()
		if t == nil {
			return err
		}
		m.add(t, size, n, err)
		if err != nil && !errors.Is(err, context.Canceled) {
			errs = append(errs, err)
		}
		if !stopped {
			break
		}
	}
	return errors.Join(errs...)
}

// interval returns how often the rates of a trial are noted.
func interval(d time.Duration) time.Duration {
	if d == 0 {
		return time.Second
	}
	return max(d/maxIntervals, 100*time.Millisecond)
}

// tolerance returns by which share a trial may be short: a generator that sends as fast as
// it can has no rate that it could miss.
func (m *measurement) tolerance(b *bench.Bench) float64 {
	if !b.Bounded() {
		return 1
	}
	return 0
}

// achieved is the criterion that a trial sends what was intended. It is only reported by a
// trial that did not.
const achieved = "achieved-rate"

// add adds a trial to the report.
func (m *measurement) add(t *result.Trial, size result.Size, n int, err error) {
	t.Size = size
	if size.Mean == 0 {
		t.Size.Mean = meanSent(t)
	}
	t.Name = size.Name
	if n > 1 {
		t.Name = fmt.Sprintf("%s, %d", size.Name, n)
	}
	m.plan.criteria.judge(t)
	var short *generator.ShortError
	if errors.As(err, &short) {
		t.Criteria = append(t.Criteria, result.Criterion{Name: achieved, Limit: 1 - short.Tolerance,
			Measured: min(t.Achieved.PPS/t.Intended.PPS, 1), Unit: "ratio"})
	}
	m.report.Trials = append(m.report.Trials, *t)
}

// meanSent returns the mean length of the packets that were sent.
func meanSent(t *result.Trial) float64 {
	var packets, bytes uint64
	for _, p := range t.Ports {
		packets, bytes = packets+p.TxPackets, bytes+p.TxBytes
	}
	if packets == 0 {
		return 0
	}
	return float64(bytes) / float64(packets)
}

// judge holds a trial against the criteria.
func (c *criteria) judge(t *result.Trial) {
	if !math.IsNaN(c.maxLoss) {
		t.Criteria = append(t.Criteria, result.Criterion{Name: "max-loss", Limit: c.maxLoss, Measured: t.LossRatio,
			Unit: "ratio", Passed: t.LossRatio <= c.maxLoss})
	}
	if c.maxP99 > 0 {
		worst, measured := int64(0), false
		for _, s := range t.Streams {
			if s.Latency != nil {
				worst, measured = max(worst, s.Latency.P99), true
			}
		}
		t.Criteria = append(t.Criteria, result.Criterion{Name: "max-p99", Limit: float64(c.maxP99), Measured: float64(worst),
			Unit: "ns", Passed: measured && worst <= int64(c.maxP99)})
	}
}

// sizeOf returns the size that a bench sends as reports have it.
func sizeOf(b *bench.Bench, s traffic.Size) result.Size {
	least, most := b.LenRange(0)
	return result.Size{Name: s.String(), Mean: b.MeanLen(0), Min: least, Max: most}
}

// size returns the size that is sent as reports have it. The streams of a scenario have
// sizes of their own.
func (m *measurement) size(s traffic.Size) result.Size {
	if m.plan.traffic.scenario != nil {
		return result.Size{Name: "scenario"}
	}
	b, _ := m.rig.current()
	return sizeOf(b, s)
}
