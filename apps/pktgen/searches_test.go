package main

import (
	"testing"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/result"
)

// TestSearches: all that is searched for is in the report, with figures that add up.
func TestSearches(t *testing.T) {
	r := reportOf(t, "--self-test=false", "--sizes=60,100", "--search=csit-ndr,csit-pdr,mrr", "--trial-duration=2ms",
		"--repeat=2", "--min-rate=1kpps", "--max-rate=30kpps", "--loss-curve", "--latency-at-load", "emu:cable=a", "emu:cable=a")
	if len(r.Searches) != 4 || len(r.LossCurves) != 2 || len(r.MRR) != 2 {
		t.Fatalf("%d searches, %d loss curves, %d receive rates", len(r.Searches), len(r.LossCurves), len(r.MRR))
	}
	for i := range r.Searches {
		s := &r.Searches[i]
		if want := []string{"60", "100"}[i/2]; s.Size.Name != want || s.Repetition != i%2+1 || len(s.Goals) != 2 || len(s.Trials) == 0 {
			t.Errorf("search %d is number %d of size %s, with %d goals in %d trials", i, s.Repetition, s.Size.Name, len(s.Goals), len(s.Trials))
		}
		if s.MinLoad.PPS != 2000 || s.MaxLoad.PPS != 60000 { // of both ports
			t.Errorf("loads from %v to %v", s.MinLoad.PPS, s.MaxLoad.PPS)
		}
		checkTrials(t, s.Trials)
		checkGoals(t, s)
	}
	for _, c := range r.LossCurves {
		for _, p := range c.Points {
			if p.Lost == 0 != (p.LossRatio == 0) || p.Offered.PPS > c.MaxLoad.PPS*1.001 {
				t.Errorf("%+v of a curve from %v", p, c.MaxLoad.PPS)
			}
		}
	}
	for _, m := range r.MRR {
		if len(m.Trials) != 10 || m.Min > m.Median || m.Median > m.Max {
			t.Errorf("%+v", m)
		}
	}
}

func checkTrials(t *testing.T, trials []result.SearchTrial) {
	t.Helper()
	for _, trial := range trials {
		due := trial.Sent + trial.Unsent
		// Over a cable only what was not sent is lost.
		if trial.Lost != trial.Unsent || trial.LossRatio != result.LossRatio(due, trial.Lost) {
			t.Errorf("trial at %.0f pps: sent %d, unsent %d, lost %d, ratio %v", trial.Load.PPS, trial.Sent, trial.Unsent, trial.Lost, trial.LossRatio)
		}
		if want := trial.Load.PPS * float64(trial.Duration) / 1e9; float64(due) < want-4 || float64(due) > want+4 {
			t.Errorf("trial at %.0f pps: %d packets were due, and not %.0f", trial.Load.PPS, due, want)
		}
	}
}

func checkGoals(t *testing.T, s *result.Search) {
	t.Helper()
	for _, g := range s.Goals {
		switch {
		case g.LowerBound == nil && g.Irregular == "":
			t.Errorf("%s: no lower bound, and not said why", g.Goal.Name)
		case g.LowerBound == nil:
		case g.UpperBound == nil && g.Irregular == "":
			t.Errorf("%s: no upper bound, and not said why", g.Goal.Name)
		case g.UpperBound != nil && g.LowerBound.Load.PPS >= g.UpperBound.Load.PPS:
			t.Errorf("%s: bounds %.0f and %.0f", g.Goal.Name, g.LowerBound.Load.PPS, g.UpperBound.Load.PPS)
		case g.ConditionalThroughput.PPS > g.LowerBound.Load.PPS:
			t.Errorf("%s: conditional throughput %.0f, lower bound %.0f", g.Goal.Name, g.ConditionalThroughput.PPS, g.LowerBound.Load.PPS)
		}
	}
}

// TestBackToBack: bursts as long as a loop takes them arrive whole.
func TestBackToBack(t *testing.T) {
	r := reportOf(t, "--self-test=false", "--back-to-back=1", "--max-rate=2kpps", "emu:loop")
	if len(r.BackToBack) != 1 {
		t.Fatalf("%d measurements", len(r.BackToBack))
	}
	b := r.BackToBack[0]
	if len(b.Bursts) != 1 || b.Min > int64(b.Mean) || int64(b.Mean) > b.Max || b.Max > 4000 || b.Max == 0 {
		t.Errorf("%+v", b)
	}
}
