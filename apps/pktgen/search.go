package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/generator"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/mlrsearch"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/pace"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/result"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
)

// The trials that find out what the ports send: the best counts, as a machine that is busy
// with something else makes one slower.
const (
	calibrations = 3
	calibration  = 400 * time.Millisecond
)

// learningFrames is how many frames each trial is preceded by where the preset asks for it.
const learningFrames = 20

// searcher searches with one size. Loads are packets per second of all sending ports
// together.
type searcher struct {
	*measurement
	sizes    traffic.Size
	size     result.Size
	min, max float64 // loads
	base     float64 // load at scale 1
	found    float64 // what the last search found, 0 if nothing
}

// searchSize does all that is searched for with one size.
func (m *measurement) searchSize(ctx context.Context, size traffic.Size) error {
	s := &searcher{measurement: m, sizes: size}
	if err := s.bounds(ctx); err != nil {
		return err
	}
	if err := s.load(false); err != nil {
		return err
	}
	for _, do := range []func(context.Context) error{s.search, s.receiveRates, s.lossCurve, s.latencies, s.backToBack} {
		if err := do(ctx); err != nil {
			return err
		}
	}
	return nil
}

// load has the ports send the load alone, or with the streams whose latency is measured.
func (s *searcher) load(latency bool) error {
	if err := s.rig.change(s.streams(s.sizes), pace.Rate{Value: 1000, Unit: pace.PPS}, !latency); err != nil {
		return err
	}
	b, _ := s.rig.current()
	s.base = b.BasePPS()
	if !b.Bounded() {
		return errors.New("search: a stream has the rate max, which cannot be scaled; give it another in the scenario")
	}
	return nil
}

// bounds finds the loads between which is searched.
func (s *searcher) bounds(ctx context.Context) error {
	plan := &s.plan.search
	rate := pace.Rate{Unit: pace.Max}
	if plan.hasMax {
		rate = plan.maxRate
	}
	if err := s.rig.change(s.streams(s.sizes), rate, true); err != nil {
		return s.plan.wrongSize(s.sizes, err)
	}
	b, _ := s.rig.current()
	s.size = sizeOf(b, s.sizes)
	s.discloseTraffic(s.sent(s.streams(s.sizes)), s.size)
	pps, err := plan.minRate.PPS(s.size.Mean, s.plan.lineRate)
	if err != nil {
		return err
	}
	s.min = pps * float64(b.Senders())
	s.max = b.BasePPS()
	if !b.Bounded() {
		s.max = 0
		for range calibrations {
			s.progress.stage("what the ports send", calibration)
			t, err := b.Trial(ctx, generator.Run{Duration: calibration, Tolerance: 1})
			if err != nil {
				return err
			}
			s.max = max(s.max, t.Achieved.PPS)
		}
	}
	if s.max <= s.min {
		return fmt.Errorf("search: the ports send %s at most, which is not above --min-rate", pace.Rate{Value: math.Round(s.max), Unit: pace.PPS})
	}
	return nil
}

// Measure implements [mlrsearch.Measurer].
func (s *searcher) Measure(ctx context.Context, load float64, d time.Duration) (mlrsearch.TrialOutput, error) {
	t, elapsed, err := s.trial(ctx, load, d)
	if err != nil {
		return mlrsearch.TrialOutput{}, err
	}
	intended := int64(t.Sent + t.Unsent)
	return mlrsearch.TrialOutput{Intended: intended, Offered: int64(t.Sent), Forwarded: intended - int64(t.Lost),
		AchievedLoad: t.Achieved.PPS, Elapsed: elapsed}, nil
}

// trial runs a trial at a load, with the waits of the presets. One that sends too little is
// none that fails: what it did not send counts as lost.
func (s *searcher) trial(ctx context.Context, load float64, d time.Duration) (*result.Trial, time.Duration, error) {
	b, _ := s.rig.current()
	waits := &s.plan.search.waits
	start := time.Now()
	if waits.Learning > 0 {
		run := generator.Run{Duration: time.Duration(learningFrames / s.min * float64(time.Second)), Scale: s.min / s.base, Tolerance: 1}
		if _, err := b.Trial(ctx, run); err != nil {
			return nil, 0, err
		}
		if err := pause(ctx, waits.Learning); err != nil {
			return nil, 0, err
		}
	}
	t, err := b.Trial(ctx, generator.Run{Duration: d, Scale: load / s.base, Tolerance: 1, Settle: waits.Residual})
	if err == nil {
		s.progress.trial(load, d, t.LossRatio)
		err = pause(ctx, waits.Settle)
	}
	return t, time.Since(start), err
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// search searches for the goals of all presets, as often as is asked for.
func (s *searcher) search(ctx context.Context) error {
	goals := s.plan.search.goals()
	if len(goals) == 0 {
		return nil
	}
	for n := range s.plan.search.repeat {
		s.progress.stage(fmt.Sprintf("search %d of %d", n+1, s.plan.search.repeat), 0, goals...)
		c := mlrsearch.Config{Goals: goals, MinLoad: s.min, MaxLoad: s.max, Progress: s.progress.search}
		for _, p := range s.plan.search.presets {
			c.WarmUp = max(c.WarmUp, p.WarmUp)
			c.MaxSearchTime = max(c.MaxSearchTime, p.MaxSearchTime)
		}
		r, err := mlrsearch.Search(ctx, c, s)
		if len(r.Trials) > 0 {
			s.report.Searches = append(s.report.Searches, result.NewSearch(s.size, n+1, c, r))
		}
		for _, g := range r.Goals {
			if s.found == 0 || g.Lower.Load > 0 && g.Lower.Load < s.found {
				s.found = g.Lower.Load
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// receiveRates measures the receive rate for each preset that has no goals.
func (s *searcher) receiveRates(ctx context.Context) error {
	for _, p := range s.plan.search.presets {
		if len(p.Goals) > 0 {
			continue
		}
		s.progress.stage("receive rate", 0)
		c := p.ReceiveRate
		c.Load, c.Progress = s.max, s.progress.search
		r, err := mlrsearch.MeasureReceiveRate(ctx, c, s)
		if len(r.Trials) > 0 {
			s.report.MRR = append(s.report.MRR, result.NewMRR(s.size, c, r))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// lossCurve measures the loss from the largest load downwards.
func (s *searcher) lossCurve(ctx context.Context) error {
	if !s.plan.search.curve {
		return nil
	}
	s.progress.stage("loss curve", 0)
	c := mlrsearch.LossCurveConfig{MaxLoad: s.max, Duration: s.plan.search.trialDuration(), Progress: s.progress.search}
	r, err := mlrsearch.MeasureLossCurve(ctx, c, s)
	if len(r.Trials) > 0 {
		s.report.LossCurves = append(s.report.LossCurves, result.NewLossCurve(s.size, c, r))
	}
	return err
}

// latencies measures the latency at parts of the rate that the search found.
func (s *searcher) latencies(ctx context.Context) error {
	if !s.plan.search.latency || s.found == 0 {
		return nil
	}
	s.progress.stage("latency", 0)
	if err := s.load(true); err != nil {
		return err
	}
	at := result.LatencyAtLoad{Size: s.size, Reference: "lowest relevant lower bound", ReferenceRate: result.NewRate(s.found, s.size.Mean)}
	c := mlrsearch.LatencyConfig{Rate: s.found, MinLoad: s.min, Duration: s.plan.search.trialDuration()}
	points, err := mlrsearch.MeasureLatency(ctx, c, latencyMeasurer{s})
	for _, p := range points {
		p.Latency.Percent = 100 * p.Load / s.found
		at.Points = append(at.Points, p.Latency)
	}
	if len(points) > 0 {
		s.report.LatencyAtLoad = append(s.report.LatencyAtLoad, at)
	}
	return err
}

type latencyMeasurer struct{ *searcher }

// MeasureLatency implements [mlrsearch.LatencyMeasurer].
func (s latencyMeasurer) MeasureLatency(ctx context.Context, load float64, d time.Duration) (result.LoadPoint, error) {
	t, _, err := s.trial(ctx, load, d)
	if err != nil {
		return result.LoadPoint{}, err
	}
	p := result.LoadPoint{Intended: t.Intended, Achieved: t.Achieved, Duration: t.Duration, LossRatio: t.LossRatio}
	b, _ := s.rig.current()
	if l := b.Latency(); l != nil {
		p.Latency = l.Summary()
	}
	return p, nil
}
