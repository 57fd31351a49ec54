package main

import (
	"math"
	"slices"
)

// spread is the middle and the ends of a set of measurements.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// spreadOf sorts out values; none give NaN.
func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{math.NaN(), math.NaN(), math.NaN()}
	}
	s := slices.Sorted(slices.Values(values))
	half := len(s) / 2
	median := s[half]
	if len(s)%2 == 0 {
		median = (s[half-1] + s[half]) / 2
	}
	return spread{median, s[0], s[len(s)-1]}
}

// ratios divides measurements pair by pair. The load of the machine changes
// from minute to minute, and a pair is measured in the same one.
func ratios(ours, theirs []float64) []float64 {
	n := min(len(ours), len(theirs))
	r := make([]float64, n)
	for i := range r {
		r[i] = ours[i] / theirs[i]
	}
	return r
}
