package result

import (
	"math"
	"slices"
)

// median returns the median of values, which are not empty.
func median(values []float64) float64 { return quantile(values, 0.5) }

// quantile returns the q-quantile of values, which are not empty, with linear interpolation
// between neighbours.
func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	below := int(at)
	if below == len(sorted)-1 {
		return sorted[below]
	}
	return sorted[below] + (at-float64(below))*(sorted[below+1]-sorted[below])
}

// meanStdDev returns the mean and the standard deviation of a sample (n-1).
func meanStdDev(values []float64) (mean, deviation float64) {
	if len(values) == 0 {
		return 0, 0
	}
	for _, v := range values {
		mean += v / float64(len(values))
	}
	if len(values) == 1 {
		return mean, 0
	}
	sum := 0.0
	for _, v := range values {
		sum += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(sum / float64(len(values)-1))
}
