package pace

import (
	"math"
	"slices"
	"testing"
	"time"
)

// gaps returns the first n gaps of a pacer that is asked at every nanosecond that matters.
func gaps(t *testing.T, pps float64, pattern Pattern, n int) []float64 {
	t.Helper()
	p := newPacer(t, Config{PPS: pps, Pattern: pattern})
	list := make([]float64, n)
	last := int64(0)
	for i := range list {
		at := p.Oldest()
		if at > 0 && p.Due(at-1) != 0 || p.Due(at) < 1 {
			t.Fatalf("packet %d is not due at %d", i, at)
		}
		p.Advance(1)
		list[i] = float64(at - last)
		last = at
	}
	return list
}

// kolmogorovSmirnov returns the statistic of a sample against exponential gaps of a mean: the
// greatest distance between the distributions times the root of the sample's size.
func kolmogorovSmirnov(sample []float64, mean float64) float64 {
	sorted := slices.Sorted(slices.Values(sample))
	n := float64(len(sorted))
	most := 0.0
	for i, x := range sorted {
		expected := 1 - math.Exp(-x/mean)
		most = max(most, expected-float64(i)/n, float64(i+1)/n-expected)
	}
	return most * math.Sqrt(n)
}

// criticalKS is what the statistic of a large exponential sample exceeds with a probability
// of 0.01.
const criticalKS = 1.628

// TestPoissonGaps tests gaps for being exponentially distributed, independent of each
// other, and as many as the rate says.
func TestPoissonGaps(t *testing.T) {
	const n = 20000
	for seed := range uint64(8) {
		for _, pps := range []float64{1000, 123456} {
			sample := gaps(t, pps, Pattern{Kind: Poisson, Seed: seed}, n)
			if d := kolmogorovSmirnov(sample, 1e9/pps); d > criticalKS {
				t.Errorf("seed %d, %v pps: the statistic is %.3f, above %.3f", seed, pps, d, criticalKS)
			}
			sum, product := 0.0, 0.0
			for i, gap := range sample {
				sum += gap
				if i > 0 {
					product += (gap*pps/1e9 - 1) * (sample[i-1]*pps/1e9 - 1)
				}
			}
			if rate := n / sum * 1e9; math.Abs(rate/pps-1) > 3/math.Sqrt(n) {
				t.Errorf("seed %d: %v pps instead of %v", seed, rate, pps)
			}
			if r := product / n; math.Abs(r) > 3/math.Sqrt(n) {
				t.Errorf("seed %d: gaps correlate with the next by %.4f", seed, r)
			}
		}
	}
}

// TestKolmogorovSmirnovRejects shows that the test can fail: equal gaps, uniform gaps and
// exponential gaps of a rate that is 5 % off.
func TestKolmogorovSmirnovRejects(t *testing.T) {
	const n = 20000
	equal := gaps(t, 1000, Pattern{}, n)
	uniform := make([]float64, n)
	for i := range uniform {
		uniform[i] = float64(i) / n * 2e6
	}
	fast := gaps(t, 1050, Pattern{Kind: Poisson, Seed: 1}, n)
	for name, sample := range map[string][]float64{"equal": equal, "uniform": uniform, "5 % more": fast} {
		if d := kolmogorovSmirnov(sample, 1e6); d <= criticalKS {
			t.Errorf("%s: the statistic is %.3f", name, d)
		}
	}
}

// TestPoissonRepeats finds the same times for the same seed, and others for another.
func TestPoissonRepeats(t *testing.T) {
	a, b := gaps(t, 1e5, Pattern{Kind: Poisson, Seed: 3}, 100), gaps(t, 1e5, Pattern{Kind: Poisson, Seed: 3}, 100)
	if !slices.Equal(a, b) {
		t.Error("the same seed has other gaps")
	}
	if slices.Equal(a, gaps(t, 1e5, Pattern{Kind: Poisson, Seed: 4}, 100)) {
		t.Error("another seed has the same gaps")
	}
	p := newPacer(t, Config{PPS: 1e5, Pattern: Pattern{Kind: Poisson, Seed: 3}})
	send(p, second)
	if p.Start(0, Forever); float64(p.Oldest()) != a[0] {
		t.Error("a second start has other gaps")
	}
}

// TestPoissonCounts has the sender look every 50 µs, and pause once for longer than the
// catch-up.
func TestPoissonCounts(t *testing.T) {
	const catchUp = 20 * time.Millisecond
	p := newPacer(t, Config{PPS: 1e6, CatchUp: catchUp, Pattern: Pattern{Kind: Poisson, Seed: 9}})
	var before uint64
	for now := int64(0); now < second; now += 50_000 {
		if now == second/2 {
			before = p.Intended()
			now += 10 * int64(catchUp)
		}
		send(p, now)
	}
	p.Finish(second)
	if n := float64(p.Intended()); math.Abs(n/1e6-1) > 0.004 {
		t.Errorf("%v packets in a second at 1 Mpps", n)
	}
	if missed := float64(p.Missed()); math.Abs(missed/(9*catchUp.Seconds()*1e6)-1) > 0.02 {
		t.Errorf("%v packets missed in a pause of %v after %d", missed, 10*catchUp, before)
	}
}
