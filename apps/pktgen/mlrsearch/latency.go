package mlrsearch

import (
	"context"
	"fmt"
	"math"
	"time"
)

// A LatencyMeasurer measures latency at one load. T is whatever describes it, for example
// a histogram: this package only passes it on.
type LatencyMeasurer[T any] interface {
	// MeasureLatency performs one trial. It returns soon after ctx is done, with an
	// error.
	MeasureLatency(ctx context.Context, load float64, duration time.Duration) (T, error)
}

// A LatencyConfig says at which loads latency is measured.
type LatencyConfig struct {
	// Rate is the rate that a search found.
	Rate float64
	// Fractions are the loads as shares of Rate; nil means 0.1, 0.5 and 0.9, as CSIT
	// measures.
	Fractions []float64
	// MinLoad is the smallest load of a trial: where fewer frames would be too few
	// to measure anything.
	MinLoad  float64
	Duration time.Duration // of a trial; that of RFC 2544 is 120 s
}

// A LatencyPoint is the latency at one load.
type LatencyPoint[T any] struct {
	Fraction float64 // of the rate, as asked for
	Load     float64
	Latency  T
}

// MeasureLatency measures latency at each fraction of a rate, in the given order. With an
// error it returns the points so far.
func MeasureLatency[T any](ctx context.Context, c LatencyConfig, m LatencyMeasurer[T]) ([]LatencyPoint[T], error) {
	if c.Fractions == nil {
		c.Fractions = []float64{0.1, 0.5, 0.9}
	}
	switch {
	case !(c.Rate > 0) || math.IsInf(c.Rate, 0):
		return nil, fmt.Errorf("latency: %w: rate %v; it is finite and above 0", ErrLoadRange, c.Rate)
	case !(c.MinLoad >= 0) || math.IsInf(c.MinLoad, 0):
		return nil, fmt.Errorf("latency: %w: min load %v; it is finite and not negative", ErrLoadRange, c.MinLoad)
	case c.Duration <= 0:
		return nil, fmt.Errorf("latency: %w: %v; it is above 0", ErrTrialDuration, c.Duration)
	}
	for _, f := range c.Fractions {
		if !(f > 0) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("latency: %w: fraction %v; it is finite and above 0", ErrLoadRange, f)
		}
	}
	var points []LatencyPoint[T]
	for _, f := range c.Fractions {
		load := max(c.MinLoad, c.Rate*f)
		if ctx.Err() != nil {
			return points, fmt.Errorf("latency: interrupted: %w", context.Cause(ctx))
		}
		latency, err := m.MeasureLatency(ctx, load, c.Duration)
		switch {
		case err != nil && ctx.Err() != nil:
			return points, fmt.Errorf("latency: interrupted: %w", context.Cause(ctx))
		case err != nil:
			return points, fmt.Errorf("latency: load %g for %v: %w", load, c.Duration, err)
		}
		points = append(points, LatencyPoint[T]{Fraction: f, Load: load, Latency: latency})
	}
	return points, nil
}
