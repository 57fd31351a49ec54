package mlrsearch

import (
	"context"
	"fmt"
	"math"
	"time"
)

// A LossCurveConfig is a frame loss rate test of RFC 2544, section 26.3.
type LossCurveConfig struct {
	MaxLoad float64
	// Step is the distance of two loads as a share of MaxLoad: above 0, at most 0.1;
	// 0 means 0.1.
	Step     float64
	Duration time.Duration // of a trial; the RFC's is 60 s

	// OfferedTolerance and Progress are as in Config. Progress has no goals here.
	OfferedTolerance time.Duration
	Progress         func(Progress)
}

// A LossCurve is what such a test found: a trial for each load, the largest first.
type LossCurve struct {
	Trials []TrialResult
	// Complete reports that the last two trials lost nothing, which is where the
	// test ends. Otherwise the device loses at the smallest load as well, or the
	// test was interrupted.
	Complete bool
}

// maxStep is the coarsest granularity that the RFC allows.
const maxStep = 0.1

// MeasureLossCurve performs trials from the maximum load downwards until two in a row lose
// nothing. With an error it returns the result of the trials so far.
func MeasureLossCurve(ctx context.Context, c LossCurveConfig, m Measurer) (LossCurve, error) {
	if c.Step == 0 {
		c.Step = maxStep
	}
	switch {
	case !(c.MaxLoad > 0) || math.IsInf(c.MaxLoad, 0):
		return LossCurve{}, fmt.Errorf("loss curve: %w: up to %v; it is finite and above 0", ErrLoadRange, c.MaxLoad)
	case !(c.Step > 0 && c.Step <= maxStep):
		return LossCurve{}, fmt.Errorf("loss curve: %w: step %v; it is above 0, at most %v", ErrLoadRange, c.Step, maxStep)
	case c.Duration <= 0:
		return LossCurve{}, fmt.Errorf("loss curve: %w: %v; it is above 0", ErrTrialDuration, c.Duration)
	}
	s := newSeries("loss curve", m, c.OfferedTolerance, c.Progress)
	const rounding = 1e-9
	steps := int(math.Ceil(1/c.Step - rounding))
	s.planned = time.Duration(steps) * c.Duration
	var curve LossCurve
	for i, clean := 0, 0; i < steps && clean < 2; i++ {
		t, err := s.measure(ctx, c.MaxLoad*(1-float64(i)*c.Step), c.Duration)
		if err != nil {
			s.report(0, 0)
			return LossCurve{Trials: s.trials}, err
		}
		if clean++; t.LossRatio > 0 {
			clean = 0
		}
		curve.Complete = clean == 2
	}
	s.report(0, 0)
	curve.Trials = s.trials
	return curve, nil
}
