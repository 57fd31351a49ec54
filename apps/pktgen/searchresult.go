package main

import (
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/mlrsearch"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/result"
)

// searchResult returns what a search found as reports have it.
func (s *searcher) searchResult(repetition int, r mlrsearch.Result) result.Search {
	rate := func(load float64) result.Rate { return result.NewRate(load, s.size.Mean) }
	out := result.Search{Size: s.size, Repetition: repetition, MinLoad: rate(s.min), MaxLoad: rate(s.max), Elapsed: int64(r.Elapsed)}
	for _, g := range r.Goals {
		goal := result.GoalResult{Goal: goal(g.Goal), LowerBound: bound(g.Goal, g.Lower, rate), UpperBound: bound(g.Goal, g.Upper, rate),
			ConditionalThroughput: rate(g.ConditionalThroughput)}
		if !g.Regular() {
			goal.Irregular = g.Status.String()
		}
		out.Goals = append(out.Goals, goal)
	}
	for _, t := range r.Trials {
		out.Trials = append(out.Trials, result.SearchTrial{
			Load: rate(t.Load), Duration: int64(t.Duration), EffectiveDuration: int64(t.EffectiveDuration),
			Sent: uint64(t.Offered), Unsent: uint64(t.Intended - t.Offered), Lost: uint64(t.Intended - t.Forwarded),
			LossRatio: t.LossRatio,
		})
	}
	return out
}

func goal(g mlrsearch.Goal) result.Goal {
	return result.Goal{
		Name: g.Name, FinalTrialDuration: int64(g.FinalTrialDuration), DurationSum: int64(g.DurationSum),
		LossRatio: g.LossRatio, ExceedRatio: g.ExceedRatio, Width: g.Width, InitialTrialDuration: int64(g.InitialTrialDuration),
	}
}

// bound returns nil for a bound that was not found.
func bound(g mlrsearch.Goal, b mlrsearch.Bound, rate func(float64) result.Rate) *result.Bound {
	if !b.Exists() {
		return nil
	}
	out := &result.Bound{Load: rate(b.Load), Trials: len(b.Trials),
		ConditionalThroughput: rate(g.ConditionalThroughput(b.Load, b.Trials))}
	for _, t := range b.Trials {
		out.DurationSum += int64(t.EffectiveDuration)
		out.LossRatios = append(out.LossRatios, t.LossRatio)
	}
	return out
}
