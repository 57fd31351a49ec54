package mlrsearch

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// A ReceiveRateConfig is a measurement of the maximum receive rate: trials at one load,
// whatever is lost.
type ReceiveRateConfig struct {
	Load     float64 // the maximum load
	Trials   int
	Duration time.Duration // of a trial

	// OfferedTolerance and Progress are as in Config. Progress has no goals here.
	OfferedTolerance time.Duration
	Progress         func(Progress)
}

// A ReceiveRateResult is what such a measurement found, in the unit of the load.
type ReceiveRateResult struct {
	Rate   Summary // of the forwarding rates of the trials
	Trials []TrialResult
}

// A Summary describes a set of figures.
type Summary struct {
	Count                  int
	Min, Median, Mean, Max float64
	StdDev                 float64 // of the sample; 0 for fewer than two figures
}

func summarize(figures []float64) Summary {
	if len(figures) == 0 {
		return Summary{}
	}
	sorted := slices.Sorted(slices.Values(figures))
	middle := len(sorted) / 2
	s := Summary{
		Count: len(sorted), Min: sorted[0], Max: sorted[len(sorted)-1],
		Median: (sorted[middle] + sorted[(len(sorted)-1)/2]) / 2,
	}
	sum := 0.0
	for _, f := range sorted {
		sum += f
	}
	s.Mean = sum / float64(len(sorted))
	if len(figures) > 1 {
		squares := 0.0
		for _, f := range figures {
			squares += (f - s.Mean) * (f - s.Mean)
		}
		s.StdDev = math.Sqrt(squares / float64(len(figures)-1))
	}
	return s
}

// MeasureReceiveRate performs the trials of a configuration. With an error it returns the
// result of the trials so far.
func MeasureReceiveRate(ctx context.Context, c ReceiveRateConfig, m Measurer) (ReceiveRateResult, error) {
	switch {
	case !(c.Load > 0) || math.IsInf(c.Load, 0):
		return ReceiveRateResult{}, fmt.Errorf("receive rate: %w: load %v; it is finite and above 0", ErrLoadRange, c.Load)
	case c.Duration <= 0:
		return ReceiveRateResult{}, fmt.Errorf("receive rate: %w: %v; it is above 0", ErrTrialDuration, c.Duration)
	case c.Trials <= 0:
		return ReceiveRateResult{}, fmt.Errorf("receive rate: %w: %d; there is at least one", ErrTrials, c.Trials)
	}
	s := newSeries("receive rate", m, c.OfferedTolerance, c.Progress)
	s.planned = time.Duration(c.Trials) * c.Duration
	var rates []float64
	var err error
	for range c.Trials {
		var t TrialResult
		if t, err = s.measure(ctx, c.Load, c.Duration); err != nil {
			break
		}
		rates = append(rates, t.ForwardingRate())
	}
	s.report(0, 0)
	return ReceiveRateResult{Rate: summarize(rates), Trials: s.trials}, err
}
