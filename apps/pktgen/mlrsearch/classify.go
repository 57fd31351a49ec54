package mlrsearch

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// A Class is what the trials at a load say about it with respect to a goal.
type Class int

// The classes of RFC 9971.
const (
	Undecided  Class = iota
	LowerBound       // the load passes, whatever the trials that are missing would show
	UpperBound       // the load fails, whatever they would show
)

// String returns the name of the class.
func (c Class) String() string {
	switch c {
	case Undecided:
		return "undecided"
	case LowerBound:
		return "lower bound"
	case UpperBound:
		return "upper bound"
	}
	return fmt.Sprintf("class %d", int(c))
}

// sums are the effective durations of a load's trials, by kind.
type sums struct {
	fullLow, fullHigh, shortLow, shortHigh time.Duration
}

func (g Goal) sums(trials []TrialResult) sums {
	var s sums
	for _, t := range trials {
		high := t.LossRatio > g.LossRatio
		short := t.Duration < g.FinalTrialDuration
		switch {
		case short && high:
			s.shortHigh += t.EffectiveDuration
		case short:
			s.shortLow += t.EffectiveDuration
		case high:
			s.fullHigh += t.EffectiveDuration
		default:
			s.fullLow += t.EffectiveDuration
		}
	}
	return s
}

// half a nanosecond is less than two sums of durations differ by; it absorbs the
// rounding of a sum times the exceed ratio.
const half = 0.5

// Classify returns the class of a load from all trials at it. Their order is irrelevant.
//
// The trials that are missing in the duration sum are taken for low-loss ones first, then
// for high-loss ones; where both lead to the same side, the load is decided. Short
// high-loss trials count only as far as short low-loss ones do not balance them, and
// short low-loss trials never make a lower bound.
func (g Goal) Classify(trials []TrialResult) Class {
	s := g.sums(trials)
	coefficient := g.ExceedRatio / (1 - g.ExceedRatio)
	excess := max(0, float64(s.shortHigh)-float64(s.shortLow)*coefficient)
	high := float64(s.fullHigh) + excess
	whole := max(high+float64(s.fullLow), float64(g.DurationSum))
	allowed := whole*g.ExceedRatio + half
	switch {
	case whole-float64(s.fullLow) <= allowed:
		return LowerBound
	case high > allowed:
		return UpperBound
	}
	return Undecided
}

// ConditionalThroughput returns the forwarding rate that the goal is certain of at a load:
// that of the trial which only the share of trials allowed by the exceed ratio is worse
// than. Trials that are missing in the duration sum count as if nothing came back. All
// trials must be at the given load.
func (g Goal) ConditionalThroughput(load float64, trials []TrialResult) float64 {
	full := slices.DeleteFunc(slices.Clone(trials), func(t TrialResult) bool {
		return t.Duration < g.FinalTrialDuration
	})
	slices.SortFunc(full, func(a, b TrialResult) int { return cmp.Compare(a.LossRatio, b.LossRatio) })
	sum := time.Duration(0)
	for _, t := range full {
		sum += t.EffectiveDuration
	}
	remaining := float64(max(sum, g.DurationSum)) * (1 - g.ExceedRatio)
	loss := 1.0
	for i, t := range full {
		if i > 0 && remaining <= half {
			break
		}
		loss = t.LossRatio
		remaining -= float64(t.EffectiveDuration)
	}
	if remaining > half {
		loss = 1
	}
	return load * (1 - loss)
}
