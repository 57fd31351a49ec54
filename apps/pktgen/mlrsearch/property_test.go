package mlrsearch_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/mlrsearch"
)

// fataler is what checks need of a test, rapid's included.
type fataler interface {
	Helper()
	Errorf(format string, args ...any)
}

// checkResult checks what holds for every result, regular or not.
func checkResult(t fataler, result mlrsearch.Result) {
	t.Helper()
	at := map[float64]int{}
	elapsed := time.Duration(0)
	for _, r := range result.Trials {
		elapsed += r.Elapsed
		if !r.WarmUp {
			at[r.Load]++
		}
	}
	if elapsed != result.Elapsed {
		t.Errorf("%v elapsed; the trials took %v", result.Elapsed, elapsed)
	}
	for _, r := range result.Goals {
		if r.Lower.Exists() && r.Upper.Exists() && r.Lower.Load >= r.Upper.Load {
			t.Errorf("lower bound %v, upper bound %v", r.Lower.Load, r.Upper.Load)
		}
		if r.Regular() && !(r.Lower.Exists() && r.Upper.Exists()) {
			t.Errorf("regular without two bounds: %v, %v", r.Lower.Load, r.Upper.Load)
		}
		if r.Regular() && (r.LikelyLower != r.Lower.Load || r.LikelyUpper != r.Upper.Load) {
			t.Errorf("bounds %v and %v, likely %v and %v", r.Lower.Load, r.Upper.Load, r.LikelyLower, r.LikelyUpper)
		}
		if r.LikelyLower > 0 && r.LikelyUpper > 0 && r.LikelyLower >= r.LikelyUpper {
			t.Errorf("likely from %v to %v", r.LikelyLower, r.LikelyUpper)
		}
		for _, b := range []mlrsearch.Bound{r.Lower, r.Upper} {
			if b.Exists() && (len(b.Trials) == 0 || len(b.Trials) != at[b.Load]) {
				t.Errorf("bound %v has %d trials; %d were performed", b.Load, len(b.Trials), at[b.Load])
			}
		}
		checkRelevant(t, r, result.Trials)
	}
}

// checkRelevant computes the relevant bounds from all trials once more, by their
// definition.
func checkRelevant(t fataler, r mlrsearch.GoalResult, all []mlrsearch.TrialResult) {
	t.Helper()
	loads := map[float64][]mlrsearch.TrialResult{}
	for _, trial := range all {
		if !trial.WarmUp {
			loads[trial.Load] = append(loads[trial.Load], trial)
		}
	}
	upper, lower := 0.0, 0.0
	for load, list := range loads {
		if r.Goal.Classify(list) == mlrsearch.UpperBound && (upper == 0 || load < upper) {
			upper = load
		}
	}
	inverted := false
	for load, list := range loads {
		if r.Goal.Classify(list) != mlrsearch.LowerBound {
			continue
		}
		if upper == 0 || load < upper {
			lower = max(lower, load)
		} else {
			inverted = true
		}
	}
	if r.Lower.Load != lower || r.Upper.Load != upper || r.LossInversion != inverted {
		t.Errorf("bounds %v and %v, inversion %v; by definition %v and %v, %v",
			r.Lower.Load, r.Upper.Load, r.LossInversion, lower, upper, inverted)
	}
	want := 0.0
	if lower > 0 {
		want = r.Goal.ConditionalThroughput(lower, loads[lower])
	}
	if r.ConditionalThroughput != want || want > lower {
		t.Errorf("conditional throughput %v; want %v at %v", r.ConditionalThroughput, want, lower)
	}
}

// TestSearchOfAnyDevice searches devices that answer as they like, with any goals: the
// search ends, stays within its limits, and says what its trials say.
func TestSearchOfAnyDevice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := mlrsearch.Config{MinLoad: 1e3, MaxLoad: rapid.SampledFrom([]float64{1.0001e3, 2e3, 1e6, 1e9}).Draw(t, "max")}
		for i := range rapid.IntRange(1, 3).Draw(t, "goals") {
			c.Goals = append(c.Goals, drawGoal(t, string(rune('a'+i))))
		}
		if rapid.Bool().Draw(t, "limited") {
			c.MaxSearchTime = time.Duration(rapid.IntRange(1, 3000).Draw(t, "limit")) * time.Second
		}
		spread := rapid.SampledFrom([][]float64{
			{0, 1}, {0, 0, 0, 0.002}, {0, 0.002, 0.01}, {0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, {1}, {0}, {0.004},
		}).Draw(t, "losses")
		random := newDevice(rapid.Float64Range(1e3, 2e6).Draw(t, "capacity"), hard, rapid.Uint64().Draw(t, "seed"))
		count := 0
		result, err := mlrsearch.Search(context.Background(), c, mlrsearch.MeasurerFunc(
			func(_ context.Context, load float64, duration time.Duration) (mlrsearch.TrialOutput, error) {
				if count++; count > 100_000 {
					t.Fatal("the search does not end")
				}
				if load < c.MinLoad || load > c.MaxLoad {
					t.Errorf("load %v", load)
				}
				const frames = 1000
				lost := int64(frames * spread[random.random.IntN(len(spread))])
				if load > random.capacity {
					lost = max(lost, int64(frames*(1-random.capacity/load)))
				}
				return mlrsearch.TrialOutput{Intended: frames, Offered: frames, Forwarded: frames - lost}, nil
			}))
		if err != nil {
			t.Fatal(err)
		}
		checkResult(t, result)
		if c.MaxSearchTime > 0 && result.Elapsed > c.MaxSearchTime {
			t.Errorf("%v elapsed; the limit is %v", result.Elapsed, c.MaxSearchTime)
		}
		ends := []mlrsearch.Status{mlrsearch.Regular, mlrsearch.MinLoadFails, mlrsearch.MaxLoadPasses}
		for _, r := range result.Goals {
			if !slices.Contains(ends, r.Status) && (c.MaxSearchTime == 0 || r.Status != mlrsearch.SearchTimeExceeded) {
				t.Errorf("%v with a limit of %v", r.Status, c.MaxSearchTime)
			}
		}
	})
}
