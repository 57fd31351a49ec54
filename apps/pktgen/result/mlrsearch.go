package result

import "github.com/virtio-pmd/virtio-pmd/apps/pktgen/mlrsearch"

// This file turns what package mlrsearch measured into parts of a report. Its loads are
// packets per second of all ports together.

// NewGoal returns a search goal as a report has it.
func NewGoal(g mlrsearch.Goal) Goal {
	return Goal{
		Name: g.Name, LossRatio: g.LossRatio, ExceedRatio: g.ExceedRatio, Width: g.Width,
		FinalTrialDuration: int64(g.FinalTrialDuration), DurationSum: int64(g.DurationSum),
		InitialTrialDuration: int64(g.InitialTrialDuration),
	}
}

// NewSearch returns a search with frames of a size as a report has it. Repetition counts
// the searches with that size from 1.
func NewSearch(size Size, repetition int, c mlrsearch.Config, r mlrsearch.Result) Search {
	s := Search{
		Size: size, Repetition: repetition, Elapsed: int64(r.Elapsed),
		MinLoad: NewRate(c.MinLoad, size.Mean), MaxLoad: NewRate(c.MaxLoad, size.Mean),
	}
	for _, g := range r.Goals {
		found := GoalResult{
			Goal: NewGoal(g.Goal), LowerBound: newBound(size, g.Lower), UpperBound: newBound(size, g.Upper),
			ConditionalThroughput: NewRate(g.ConditionalThroughput, size.Mean), LossInversion: g.LossInversion,
		}
		if !g.Regular() {
			found.Irregular = g.Status.String()
			found.LikelyLower = NewRate(g.LikelyLower, size.Mean)
			found.LikelyUpper = NewRate(g.LikelyUpper, size.Mean)
		}
		s.Goals = append(s.Goals, found)
	}
	for _, t := range r.Trials {
		s.Trials = append(s.Trials, SearchTrial{
			Load: NewRate(t.Load, size.Mean), Duration: int64(t.Duration), EffectiveDuration: int64(t.EffectiveDuration),
			Sent: uint64(t.Offered), Unsent: uint64(max(t.Intended-t.Offered, 0)), Lost: lost(t), LossRatio: t.LossRatio,
			WarmUp: t.WarmUp,
		})
	}
	return s
}

// newBound returns nil if there is no bound.
func newBound(size Size, b mlrsearch.Bound) *Bound {
	if !b.Exists() {
		return nil
	}
	bound := &Bound{Load: NewRate(b.Load, size.Mean), Trials: len(b.Trials)}
	for _, t := range b.Trials {
		bound.DurationSum += int64(t.EffectiveDuration)
		bound.LossRatios = append(bound.LossRatios, t.LossRatio)
	}
	return bound
}

// lost returns the packets that were due and did not come back.
func lost(t mlrsearch.TrialResult) uint64 {
	return uint64(max(max(t.Intended, t.Offered)-t.Forwarded, 0))
}

// NewLossCurve returns a frame loss test as a report has it.
func NewLossCurve(size Size, c mlrsearch.LossCurveConfig, curve mlrsearch.LossCurve) LossCurve {
	l := LossCurve{Size: size, MaxLoad: NewRate(c.MaxLoad, size.Mean), Complete: curve.Complete}
	for _, t := range curve.Trials {
		l.Points = append(l.Points, LossPoint{
			Percent: 100 * t.Load / c.MaxLoad, Offered: NewRate(t.AchievedLoad, size.Mean),
			Received: NewRate(t.ForwardingRate(), size.Mean), Duration: int64(t.Duration), Sent: uint64(t.Offered),
			Lost: lost(t), LossRatio: t.LossRatio,
		})
	}
	return l
}

// NewBackToBack returns a back-to-back frames test as a report has it.
func NewBackToBack(size Size, c mlrsearch.BackToBackConfig, r mlrsearch.BackToBackResult) BackToBack {
	return BackToBack{
		Size: size, SendRate: NewRate(c.MaxFrameRate, size.Mean), ForwardingRate: NewRate(c.Throughput, size.Mean),
		Bursts: r.Bursts, Mean: r.Frames.Mean, Min: int64(r.Frames.Min), Max: int64(r.Frames.Max), StdDev: r.Frames.StdDev,
		AtMax: r.AtMax, BelowMin: r.BelowMin, BufferTime: int64(r.ImpliedBufferTime),
		CorrectedBufferTime: int64(r.CorrectedBufferTime),
	}
}

// NewMRR returns a measurement of the maximum receive rate as a report has it.
func NewMRR(size Size, c mlrsearch.ReceiveRateConfig, r mlrsearch.ReceiveRateResult) MRR {
	m := MRR{Size: size, Offered: NewRate(c.Load, size.Mean), Duration: int64(c.Duration)}
	for _, t := range r.Trials {
		if !t.WarmUp {
			m.Trials = append(m.Trials, t.ForwardingRate())
		}
	}
	m.Min, m.Max = r.Rate.Min, r.Rate.Max
	if len(m.Trials) > 0 {
		m.Median = median(m.Trials)
	}
	return m
}
