package mlrsearch

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// ErrTrialOutput is returned by a search whose Measurer returned an impossible output: a
// negative count or duration, a load that is not a number, or no frames at all.
var ErrTrialOutput = errors.New("impossible trial output")

// A Measurer performs trials. It has been given everything but load and duration, which
// RFC 9971 calls the traffic profile, before the search begins.
type Measurer interface {
	// Measure performs one trial: it sends at the intended load for the intended
	// duration, waits for what is on its way, and returns what was counted. The
	// unit of load is the caller's choice; the search only compares and multiplies.
	// Measure returns soon after ctx is done, with an error.
	Measure(ctx context.Context, load float64, duration time.Duration) (TrialOutput, error)
}

// MeasurerFunc is a function that is a Measurer.
type MeasurerFunc func(ctx context.Context, load float64, duration time.Duration) (TrialOutput, error)

// Measure calls f.
func (f MeasurerFunc) Measure(ctx context.Context, load float64, duration time.Duration) (TrialOutput, error) {
	return f(ctx, load, duration)
}

// A TrialOutput is what a Measurer counted in one trial. Counts are sums over all
// interfaces and directions.
type TrialOutput struct {
	Intended  int64 // frames that load and duration ask for; 0 means as many as Offered
	Offered   int64 // frames sent
	Forwarded int64 // frames that came back

	// AchievedLoad is the load that was offered, in the unit of the intended load;
	// 0 means the intended load times Offered by Intended.
	AchievedLoad float64
	// EffectiveDuration is what the trial counts for in the duration sum of a goal;
	// 0 means the intended duration.
	EffectiveDuration time.Duration
	// Elapsed is the time that the trial took with its waits; 0 means the effective
	// duration. Time limits and estimates come from it.
	Elapsed time.Duration
}

// A TrialResult is a trial's input and output, with what follows from them.
type TrialResult struct {
	Load     float64       // intended
	Duration time.Duration // intended

	Intended, Offered, Forwarded int64
	AchievedLoad                 float64
	EffectiveDuration, Elapsed   time.Duration

	// LossRatio is the share of the intended frames that did not come back, from 0
	// to 1. Frames that came back and were not sent count as lost as well.
	LossRatio float64
	// ShortOffered reports that the offered load missed the intended load by more
	// than the tolerance. What was not sent is part of LossRatio then.
	ShortOffered bool
	// WarmUp marks the trial whose result no bound depends on.
	WarmUp bool
}

// ForwardingRate returns the trial forwarding rate of RFC 9971: the load times the share
// that was forwarded.
func (r TrialResult) ForwardingRate() float64 {
	return r.Load * (1 - r.LossRatio)
}

// DefaultOfferedTolerance is the traffic that may stay unsent in a trial without being
// counted as lost, as a time at the intended load. CSIT allows as much.
const DefaultOfferedTolerance = 10 * time.Microsecond

// newResult checks the output of a trial and computes its loss ratio.
func newResult(load float64, duration time.Duration, o TrialOutput, tolerance time.Duration) (TrialResult, error) {
	if err := o.check(); err != nil {
		return TrialResult{}, err
	}
	r := TrialResult{
		Load: load, Duration: duration,
		Intended: o.Intended, Offered: o.Offered, Forwarded: o.Forwarded,
		AchievedLoad: o.AchievedLoad, EffectiveDuration: o.EffectiveDuration, Elapsed: o.Elapsed,
	}
	if r.Intended == 0 {
		r.Intended = r.Offered
	}
	if r.EffectiveDuration == 0 {
		r.EffectiveDuration = duration
	}
	if r.Elapsed == 0 {
		r.Elapsed = r.EffectiveDuration
	}
	if r.AchievedLoad == 0 {
		r.AchievedLoad = load * float64(r.Offered) / float64(r.Intended)
	}
	r.setLoss(tolerance)
	return r, nil
}

// setLoss computes the loss ratio as CSIT does: what is missing in the offered load
// beyond the tolerance counts as lost, so that the search turns to loads that can be
// offered. A surplus, sent or received, counts as much as a lack.
func (r *TrialResult) setLoss(tolerance time.Duration) {
	if tolerance == 0 {
		tolerance = DefaultOfferedTolerance
	}
	allowed := 0.0
	if tolerance > 0 {
		allowed = math.Ceil(float64(r.Intended) * float64(tolerance) / float64(r.Duration))
	}
	total := float64(r.Offered)
	bad := math.Abs(float64(r.Offered) - float64(r.Forwarded))
	if unsent := math.Abs(float64(r.Intended) - float64(r.Offered)); unsent > allowed {
		r.ShortOffered = r.Offered < r.Intended
		total = max(total, float64(r.Intended))
		bad += unsent
	}
	if total == 0 { // the tolerance covers the whole trial
		total, bad = 1, 1
	}
	r.LossRatio = min(bad/total, 1)
}

func (o TrialOutput) check() error {
	switch {
	case o.Intended < 0 || o.Offered < 0 || o.Forwarded < 0:
		return fmt.Errorf("%w: %d intended, %d offered, %d forwarded: counts are not negative",
			ErrTrialOutput, o.Intended, o.Offered, o.Forwarded)
	case o.Intended == 0 && o.Offered == 0:
		return fmt.Errorf("%w: no frames intended, none offered; raise the load or the duration",
			ErrTrialOutput)
	case o.EffectiveDuration < 0 || o.Elapsed < 0:
		return fmt.Errorf("%w: effective duration %v, elapsed %v: durations are not negative",
			ErrTrialOutput, o.EffectiveDuration, o.Elapsed)
	case math.IsNaN(o.AchievedLoad) || math.IsInf(o.AchievedLoad, 0) || o.AchievedLoad < 0:
		return fmt.Errorf("%w: achieved load %v", ErrTrialOutput, o.AchievedLoad)
	}
	return nil
}
