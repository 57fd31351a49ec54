package mlrsearch_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/mlrsearch"
)

// TestPresets compares the presets with the documents that they come from.
func TestPresets(t *testing.T) {
	for _, want := range []struct {
		name             string
		loss, exceed     float64
		final, sum, wait time.Duration
	}{
		{"rfc2544", 0, 0, time.Minute, time.Minute, 9 * time.Second},
		{"tst009", 0, 0.5, time.Minute, 2 * time.Minute, 9 * time.Second},
		{"csit-ndr", 0, 0.5, time.Second, 21 * time.Second, time.Second / 2},
		{"csit-pdr", 0.005, 0.5, time.Second, 21 * time.Second, time.Second / 2},
	} {
		p, err := mlrsearch.PresetByName(want.name)
		if err != nil {
			t.Fatal(err)
		}
		g := p.Goals[0]
		if g.LossRatio != want.loss || g.ExceedRatio != want.exceed ||
			g.FinalTrialDuration != want.final || g.DurationSum != want.sum || g.Width != 0.005 {
			t.Errorf("%s: %+v", want.name, g)
		}
		if wait := p.Waits.Learning + p.Waits.Residual + p.Waits.Settle; wait != want.wait {
			t.Errorf("%s: %v of waits; want %v", want.name, wait, want.wait)
		}
		if d := p.Deviations(); d != nil {
			t.Errorf("%s deviates from itself: %q", want.name, d)
		}
		if err := p.Config(minLoad, maxLoad).Validate(); err != nil {
			t.Errorf("%s: %v", want.name, err)
		}
	}
	_, err := mlrsearch.PresetByName("rfc2455")
	if !errors.Is(err, mlrsearch.ErrNoPreset) || !strings.Contains(err.Error(), "rfc2544, tst009, csit-ndr, csit-pdr, mrr") {
		t.Errorf("%v", err)
	}
}

// TestPresetScaled checks that a preset in other times searches in the same way, and says
// what it deviates in.
func TestPresetScaled(t *testing.T) {
	for _, p := range mlrsearch.Presets() {
		whole, short := newDevice(5e6, hard, 1), newDevice(5e6, hard, 1)
		scaled := p.WithTrialDuration(p.TrialDuration() / 50)
		if got := scaled.TrialDuration(); got != p.TrialDuration()/50 {
			t.Errorf("%s: trials of %v", p.Name, got)
		}
		said := strings.Join(scaled.Deviations(), "\n")
		if len(p.Goals) == 0 {
			if !strings.Contains(said, "trial duration is 20ms instead of 1s") {
				t.Errorf("%s: %s", p.Name, said)
			}
			continue
		}
		for _, want := range []string{"goal final trial duration is", "goal duration sum is", "wait for residual frames is"} {
			if !strings.Contains(said, want) {
				t.Errorf("%s: %q is not said in %s", p.Name, want, said)
			}
		}
		a, errA := mlrsearch.Search(t.Context(), p.Config(minLoad, maxLoad), whole)
		b, errB := mlrsearch.Search(t.Context(), scaled.Config(minLoad, maxLoad), short)
		if errA != nil || errB != nil || !b.Regular() {
			t.Fatal(p.Name, errA, errB)
		}
		if x, y := a.Goals[0], b.Goals[0]; x.Lower.Load != y.Lower.Load || x.Upper.Load != y.Upper.Load ||
			len(x.Lower.Trials) != len(y.Lower.Trials) {
			t.Errorf("%s: bounds %v and %v, scaled %v and %v", p.Name, x.Lower.Load, x.Upper.Load, y.Lower.Load, y.Upper.Load)
		}
		if ratio := float64(a.Elapsed) / float64(b.Elapsed); ratio < 49 || ratio > 51 {
			t.Errorf("%s: %v, scaled %v", p.Name, a.Elapsed, b.Elapsed)
		}
	}
}

// TestDeviationsOfGoals checks that a preset with another goal says so.
func TestDeviationsOfGoals(t *testing.T) {
	p, err := mlrsearch.PresetByName("csit-pdr")
	if err != nil {
		t.Fatal(err)
	}
	p.Goals[0].LossRatio = 0.01
	p.Goals[0].Width = 0.02
	want := "goal loss ratio is 0.01 instead of 0.005; goal width is 0.02 instead of 0.005"
	if got := strings.Join(p.Deviations(), "; "); got != want {
		t.Errorf("%s; want %s", got, want)
	}
	p.Name = "mine"
	if got := p.Deviations(); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

// TestWaitsDeviations checks that shorter waits than the RFC's are said.
func TestWaitsDeviations(t *testing.T) {
	for _, p := range mlrsearch.Presets() {
		said := strings.Join(p.Waits.Deviations(), "; ")
		want := ""
		if strings.HasPrefix(p.Name, "csit") || p.Name == "mrr" {
			want = "wait after learning frames is 0s instead of 2s; " +
				"wait for residual frames is 500ms instead of 2s; wait between trials is 0s instead of 5s"
		}
		if said != want {
			t.Errorf("%s: %q; want %q", p.Name, said, want)
		}
	}
}
