package mlrsearch_test

import (
	"fmt"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/mlrsearch"
)

// A noise is how a device differs from trial to trial.
type noise struct {
	name           string
	spikes, jitter float64
}

var noises = []noise{
	{name: "none"},
	{name: "2 % of trials lose 2 %", spikes: 0.02},
	{name: "capacity varies by 0.05 %", jitter: 0.0005},
}

// csitSeconds is the mean trial time of CSIT's own controller on the devices of this test
// with the goals of the presets: the Python library MLRsearch 1.2.1, as of CSIT 78e52b9,
// with its defaults of two preceding targets and a warm-up of 1 s.
var csitSeconds = map[string]float64{
	"rfc2544": 117.2, "tst009": 188.5, "csit-ndr": 33.1, "csit-pdr": 32.3,
}

// TestPresetsEnclose searches devices of known capacity, with three ways to lose and three
// kinds of noise, 100 of each. The bounds must enclose the true value every time, in no
// more trial time than CSIT's controller needs.
//
// The true value is the largest load whose trials exceed the goal's loss ratio no more
// often than the exceed ratio allows. Where the capacity varies it is within that range,
// which is a tenth of the goal width: what a trial shows there is chance.
func TestPresetsEnclose(t *testing.T) {
	for _, p := range mlrsearch.Presets() {
		if len(p.Goals) == 0 {
			continue
		}
		t.Run(p.Name, func(t *testing.T) {
			seconds, searches := 0.0, 0
			for _, s := range []shape{hard, collapse, soft} {
				for _, n := range noises {
					if n.spikes > p.Goals[0].ExceedRatio {
						continue // a goal that tolerates none finds the luckiest load
					}
					t.Run(fmt.Sprintf("%s, noise: %s", s, n.name), func(t *testing.T) {
						for run := range runs {
							seconds += enclose(t, p, s, n, run)
							searches++
						}
					})
				}
			}
			mean := seconds / float64(searches)
			t.Logf("mean trial time %.1f s of %d searches; CSIT %.1f s", mean, searches, csitSeconds[p.Name])
			if mean > csitSeconds[p.Name] {
				t.Errorf("mean trial time %.1f s; CSIT takes %.1f s", mean, csitSeconds[p.Name])
			}
		})
	}
}

// enclose searches one device and returns the trial time in seconds.
func enclose(t *testing.T, p mlrsearch.Preset, s shape, n noise, run int) float64 {
	d := newDevice(capacityOf(run), s, uint64(run))
	d.spikes, d.jitter = n.spikes, n.jitter
	result, err := mlrsearch.Search(t.Context(), p.Config(minLoad, maxLoad), d)
	if err != nil {
		t.Fatal(err)
	}
	checkResult(t, result)
	for _, r := range result.Goals {
		low, high := d.passes(r.Goal.LossRatio, d.jitter), d.passes(r.Goal.LossRatio, 0)
		if !r.Regular() {
			t.Errorf("run %d: %v", run, r.Status)
		}
		if r.Lower.Load > high || r.Upper.Load < low {
			t.Errorf("run %d: bounds %v and %v; the true value is between %v and %v",
				run, r.Lower.Load, r.Upper.Load, low, high)
		}
		if width := 1 - r.Lower.Load/r.Upper.Load; width > r.Goal.Width*(1+1e-6) {
			t.Errorf("run %d: width %v; want at most %v", run, width, r.Goal.Width)
		}
		least := low * (1 - r.Goal.Width) * (1 - r.Goal.LossRatio) * (1 - 1e-5)
		if ct := r.ConditionalThroughput; ct > high || ct < least {
			t.Errorf("run %d: conditional throughput %v; want from %v to %v", run, ct, least, high)
		}
	}
	if d.elapsed != result.Elapsed || d.trials != len(result.Trials) {
		t.Errorf("run %d: %d trials in %v reported; %d in %v performed",
			run, len(result.Trials), result.Elapsed, d.trials, d.elapsed)
	}
	return d.elapsed.Seconds()
}

// TestGoalsTogether checks that goals share trials: a search for two takes less than two
// searches, and finds the same.
func TestGoalsTogether(t *testing.T) {
	ndr, _ := mlrsearch.PresetByName("csit-ndr")
	pdr, _ := mlrsearch.PresetByName("csit-pdr")
	for _, s := range []shape{hard, collapse, soft} {
		apart, together := 0.0, 0.0
		for run := range runs {
			apart += enclose(t, ndr, s, noises[1], run) + enclose(t, pdr, s, noises[1], run)
			both := ndr
			both.Goals = []mlrsearch.Goal{ndr.Goals[0], pdr.Goals[0]}
			together += enclose(t, both, s, noises[1], run)
		}
		t.Logf("%s: %.1f s together, %.1f s apart", s, together/runs, apart/runs)
		if together >= apart {
			t.Errorf("%s: %.1f s together, %.1f s apart", s, together/runs, apart/runs)
		}
	}
}

// TestExampleOfCSIT repeats the example of CSIT's library: a device of exactly a million
// frames a second, searched over six orders of magnitude with a strict exceed ratio. Each
// lower bound takes 21 trials.
func TestExampleOfCSIT(t *testing.T) {
	ndr, _ := mlrsearch.PresetByName("csit-ndr")
	goal := ndr.Goals[0]
	goal.ExceedRatio = 0.005
	pdr := goal
	pdr.LossRatio = 0.005
	d := newDevice(1e6, hard, 1)
	result, err := mlrsearch.Search(t.Context(), mlrsearch.Config{
		Goals: []mlrsearch.Goal{goal, pdr}, MinLoad: 1e3, MaxLoad: 1e9,
	}, d)
	if err != nil || !result.Regular() {
		t.Fatal(err, result)
	}
	checkResult(t, result)
	const frame = 1e-6
	for i, passes := range []float64{1e6, 1e6 / 0.995} {
		if r := result.Goals[i]; r.Lower.Load > passes || r.Upper.Load < passes*(1-frame) {
			t.Errorf("goal %d: bounds %v and %v; want %v between them", i, r.Lower.Load, r.Upper.Load, passes)
		}
	}
	if d.trials > 3*21 {
		t.Errorf("%d trials; the two lower bounds take 42", d.trials)
	}
}
