package mlrsearch_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/mlrsearch"
)

// trials returns equal trials at a million frames a second.
func trials(count int, duration time.Duration, loss float64) []mlrsearch.TrialResult {
	return slices.Repeat([]mlrsearch.TrialResult{{
		Load: 1e6, Duration: duration, EffectiveDuration: duration, LossRatio: loss,
	}}, count)
}

// rfcGoals are the goals of the example search in RFC 9971.
var rfcGoals = []mlrsearch.Goal{
	{Name: "RFC2544", FinalTrialDuration: 60 * time.Second, DurationSum: 60 * time.Second},
	{Name: "TST009", FinalTrialDuration: 60 * time.Second, DurationSum: 120 * time.Second, ExceedRatio: 0.5},
	{Name: "1s final", FinalTrialDuration: time.Second, DurationSum: 120 * time.Second, ExceedRatio: 0.5, LossRatio: 0.005},
	{Name: "20% exceed", FinalTrialDuration: 60 * time.Second, DurationSum: 60 * time.Second, ExceedRatio: 0.2, LossRatio: 0.005},
}

// TestClassifyExampleOfRFC follows the example search of RFC 9971 through its points. In
// the last two, the RFC's table gives goal "20% exceed" a lower bound next to exceed ratios
// of 42.857 % and 27.273 %, which by its logic and its code, and here, are an upper bound.
func TestClassifyExampleOfRFC(t *testing.T) {
	const u, lo, up = mlrsearch.Undecided, mlrsearch.LowerBound, mlrsearch.UpperBound
	points := []struct {
		name  string
		added []mlrsearch.TrialResult
		want  []mlrsearch.Class
	}{
		{"first short good", trials(59, time.Second, 0), []mlrsearch.Class{u, u, u, u}},
		{"first short bad", trials(1, time.Second, 0.01), []mlrsearch.Class{up, u, u, u}},
		{"last short bad", trials(59, time.Second, 0.01), []mlrsearch.Class{up, u, u, up}},
		{"last short good", trials(1, time.Second, 0), []mlrsearch.Class{up, u, lo, up}},
		{"first long bad", trials(1, time.Minute, 0.001), []mlrsearch.Class{up, u, lo, up}},
		{"first long good", trials(1, time.Minute, 0), []mlrsearch.Class{up, lo, lo, up}},
	}
	var all []mlrsearch.TrialResult
	for _, p := range points {
		all = append(all, p.added...)
		for i, g := range rfcGoals {
			if got := g.Classify(all); got != p.want[i] {
				t.Errorf("%s, goal %s: %v; want %v", p.name, g.Name, got, p.want[i])
			}
		}
	}
	for i, want := range []float64{1: 1e6, 2: 1e6, 3: 999e3} {
		if i == 0 {
			continue // an upper bound has no conditional throughput
		}
		if got := rfcGoals[i].ConditionalThroughput(1e6, all); math.Abs(got-want) > 1e-6 {
			t.Errorf("goal %s: conditional throughput %v; want %v", rfcGoals[i].Name, got, want)
		}
	}
}

// TestClassifyCompliance checks what RFC 9971 says of the goals that stand for RFC 2544
// and TST 009, one trial after the other.
func TestClassifyCompliance(t *testing.T) {
	const u, lo, up = mlrsearch.Undecided, mlrsearch.LowerBound, mlrsearch.UpperBound
	for _, test := range []struct {
		name   string
		goal   mlrsearch.Goal
		losses []float64
		want   []mlrsearch.Class
	}{
		{"rfc2544, no loss", rfcGoals[0], []float64{0}, []mlrsearch.Class{lo}},
		{"loss as the goal allows", rfcGoals[3], []float64{0.005}, []mlrsearch.Class{lo}},
		{"loss just above", rfcGoals[3], []float64{0.0050001}, []mlrsearch.Class{up}},
		{"rfc2544, loss", rfcGoals[0], []float64{1e-9}, []mlrsearch.Class{up}},
		{"tst009, no loss", rfcGoals[1], []float64{0, 0.1}, []mlrsearch.Class{lo, lo}},
		{"tst009, verified", rfcGoals[1], []float64{0.1, 0}, []mlrsearch.Class{u, lo}},
		{"tst009, loss twice", rfcGoals[1], []float64{0.1, 0.1}, []mlrsearch.Class{u, up}},
		{"tst009, a third trial turns it", rfcGoals[1], []float64{0.1, 0, 0.1}, []mlrsearch.Class{u, lo, up}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var all []mlrsearch.TrialResult
			if got := test.goal.Classify(all); got != u {
				t.Errorf("without trials: %v", got)
			}
			for i, loss := range test.losses {
				all = append(all, trials(1, time.Minute, loss)...)
				if got := test.goal.Classify(all); got != test.want[i] {
					t.Errorf("after %d trials: %v; want %v", i+1, got, test.want[i])
				}
			}
		})
	}
}

// TestClassifyScaled checks that a sum which meets the exceed ratio exactly does so at
// any scale of time, although most fractions have no exact binary value.
func TestClassifyScaled(t *testing.T) {
	for _, trial := range []time.Duration{time.Second, 7 * time.Millisecond, 333, 10, 1} {
		for bad := range 100 {
			g := mlrsearch.Goal{FinalTrialDuration: trial, DurationSum: 100 * trial, ExceedRatio: float64(bad) / 100}
			all := append(trials(bad, trial, 1), trials(100-bad, trial, 0)...)
			if got := g.Classify(all); got != mlrsearch.LowerBound {
				t.Errorf("%v, %d of 100 bad, exceed ratio %v: %v", trial, bad, g.ExceedRatio, got)
			}
			if got := g.ConditionalThroughput(1e6, all); got != 1e6 {
				t.Errorf("%v, %d of 100 bad, exceed ratio %v: conditional throughput %v", trial, bad, g.ExceedRatio, got)
			}
			if got := g.Classify(append(all[:99:99], trials(1, trial, 1)...)); got != mlrsearch.UpperBound {
				t.Errorf("%v, %d of 100 bad, exceed ratio %v: %v", trial, bad+1, g.ExceedRatio, got)
			}
		}
	}
}

// drawGoal returns any valid goal.
func drawGoal(t *rapid.T, label string) mlrsearch.Goal {
	final := time.Duration(rapid.Int64Range(1, 60).Draw(t, label+" final")) * time.Second
	return mlrsearch.Goal{
		LossRatio:          rapid.SampledFrom([]float64{0, 0.001, 0.005, 0.1}).Draw(t, label+" loss"),
		ExceedRatio:        rapid.SampledFrom([]float64{0, 0.2, 0.5, 0.8}).Draw(t, label+" exceed"),
		FinalTrialDuration: final,
		DurationSum:        final * time.Duration(rapid.IntRange(1, 30).Draw(t, label+" trials")),
		InitialTrialDuration: min(final,
			time.Duration(rapid.Int64Range(0, 60).Draw(t, label+" initial"))*time.Second),
		Width: rapid.SampledFrom([]float64{0.001, 0.005, 0.05, 0.5}).Draw(t, label+" width"),
	}
}

func drawTrials(t *rapid.T) []mlrsearch.TrialResult {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) mlrsearch.TrialResult {
		duration := time.Duration(rapid.Int64Range(1, 90).Draw(t, "duration")) * time.Second
		return mlrsearch.TrialResult{
			Load: 1e6, Duration: duration, EffectiveDuration: duration,
			LossRatio: rapid.SampledFrom([]float64{0, 0.001, 0.004, 0.005, 0.01, 1}).Draw(t, "loss"),
		}
	}), 0, 40).Draw(t, "trials")
}

// TestClassifyIgnoresOrder checks that neither class nor conditional throughput depend on
// the order of the trials.
func TestClassifyIgnoresOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, all := drawGoal(t, "goal"), drawTrials(t)
		mixed := rapid.Permutation(all).Draw(t, "order")
		if a, b := g.Classify(all), g.Classify(mixed); a != b {
			t.Errorf("%v and, in another order, %v", a, b)
		}
		a, b := g.ConditionalThroughput(1e6, all), g.ConditionalThroughput(1e6, mixed)
		if a != b {
			t.Errorf("conditional throughput %v and, in another order, %v", a, b)
		}
	})
}

// TestClassifyDecides checks that full-length trials for the duration sum decide a load,
// and that a trial more never makes a lower bound of loss or an upper bound of none.
func TestClassifyDecides(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, all := drawGoal(t, "goal"), drawTrials(t)
		before := g.Classify(all)
		full := time.Duration(0)
		for _, r := range all {
			if r.Duration >= g.FinalTrialDuration {
				full += r.EffectiveDuration
			}
		}
		if full >= g.DurationSum && before == mlrsearch.Undecided {
			t.Errorf("undecided after %v of %v", full, g.DurationSum)
		}
		worse := g.Classify(append(all[:len(all):len(all)], trials(1, 2*time.Minute, 1)...))
		if worse == mlrsearch.LowerBound && before != mlrsearch.LowerBound {
			t.Errorf("%v became a lower bound by a trial that lost everything", before)
		}
		better := g.Classify(append(all[:len(all):len(all)], trials(1, 2*time.Minute, 0)...))
		if better == mlrsearch.UpperBound && before != mlrsearch.UpperBound {
			t.Errorf("%v became an upper bound by a trial that lost nothing", before)
		}
		if before == mlrsearch.LowerBound {
			if rate := g.ConditionalThroughput(1e6, all); rate < 1e6*(1-g.LossRatio)-1e-3 || rate > 1e6 {
				t.Errorf("conditional throughput %v at a lower bound of %v", rate, 1e6)
			}
		}
	})
}
