package mlrsearch_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/mlrsearch"
)

// search searches with the goals of presets, and checks what holds for every result.
func search(t *testing.T, m mlrsearch.Measurer, change func(*mlrsearch.Config), presets ...string) (mlrsearch.Result, error) {
	t.Helper()
	var c mlrsearch.Config
	for i, name := range presets {
		p, err := mlrsearch.PresetByName(name)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			c = p.Config(minLoad, maxLoad)
		} else {
			c.Goals = append(c.Goals, p.Goals...)
		}
	}
	if change != nil {
		change(&c)
	}
	result, err := mlrsearch.Search(t.Context(), c, m)
	checkResult(t, result)
	return result, err
}

// lose returns a Measurer that loses a share at any load.
func lose(share float64) mlrsearch.Measurer {
	return mlrsearch.MeasurerFunc(func(_ context.Context, load float64, duration time.Duration) (mlrsearch.TrialOutput, error) {
		frames := math.Floor(load * duration.Seconds())
		return mlrsearch.TrialOutput{
			Intended: int64(frames), Offered: int64(frames), Forwarded: int64(frames * (1 - share)),
		}, nil
	})
}

// TestDeviceLosesAlways: the smallest load is an upper bound, so there is no lower one.
func TestDeviceLosesAlways(t *testing.T) {
	for _, preset := range []string{"rfc2544", "tst009", "csit-ndr", "csit-pdr"} {
		result, err := search(t, lose(0.01), nil, preset)
		if err != nil {
			t.Fatal(err)
		}
		r := result.Goals[0]
		if r.Status != mlrsearch.MinLoadFails || r.Lower.Exists() || r.Upper.Load != minLoad || r.ConditionalThroughput != 0 {
			t.Errorf("%s: %v, bounds %v and %v, conditional throughput %v",
				preset, r.Status, r.Lower.Load, r.Upper.Load, r.ConditionalThroughput)
		}
	}
}

// TestDeviceNeverLoses: the largest load is a lower bound, so there is no upper one.
func TestDeviceNeverLoses(t *testing.T) {
	for _, preset := range []string{"rfc2544", "tst009", "csit-ndr", "csit-pdr"} {
		result, err := search(t, lose(0), nil, preset)
		if err != nil {
			t.Fatal(err)
		}
		r := result.Goals[0]
		if r.Status != mlrsearch.MaxLoadPasses || r.Upper.Exists() || r.Lower.Load != maxLoad || r.ConditionalThroughput != maxLoad {
			t.Errorf("%s: %v, bounds %v and %v, conditional throughput %v",
				preset, r.Status, r.Lower.Load, r.Upper.Load, r.ConditionalThroughput)
		}
		if result.Regular() {
			t.Errorf("%s: the result counts as regular", preset)
		}
	}
}

// TestGoalsEndApart: one goal fails at every load, another passes at every load, and both
// are reported.
func TestGoalsEndApart(t *testing.T) {
	result, err := search(t, lose(0.002), nil, "csit-ndr", "csit-pdr")
	if err != nil {
		t.Fatal(err)
	}
	if a, b := result.Goals[0].Status, result.Goals[1].Status; a != mlrsearch.MinLoadFails || b != mlrsearch.MaxLoadPasses {
		t.Errorf("%v and %v", a, b)
	}
}

// TestDeviceFlips searches a device that changes between two capacities. Trials at a load
// between the two contradict each other; the smallest load that fails counts, whatever
// passes above it.
func TestDeviceFlips(t *testing.T) {
	inverted, moved := 0, 0
	for period := 1; period <= 60; period++ {
		count := 0
		fast, slow := newDevice(8e6, hard, 1), newDevice(4e6, hard, 1)
		flips := mlrsearch.MeasurerFunc(func(ctx context.Context, load float64, d time.Duration) (mlrsearch.TrialOutput, error) {
			if count++; count/period%2 == 1 {
				return fast.Measure(ctx, load, d)
			}
			return slow.Measure(ctx, load, d)
		})
		result, err := search(t, flips, nil, "csit-ndr", "csit-pdr")
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range result.Goals {
			if !r.Regular() || r.Lower.Load > 8e6/(1-r.Goal.LossRatio) || r.Upper.Load < 4e6*(1-1e-6) {
				t.Errorf("period %d: %v, bounds %v and %v", period, r.Status, r.Lower.Load, r.Upper.Load)
			}
			if r.LossInversion {
				inverted++
			}
			moved += r.Moved
		}
	}
	t.Logf("%d of 120 results have loss inversion; %d bounds moved", inverted, moved)
	if inverted == 0 {
		t.Error("no result has loss inversion")
	}
}

// TestBoundMoves drives a load from one class to the other: a goal that asks for more
// trials at it than the first turns the first one's bound.
func TestBoundMoves(t *testing.T) {
	// At every load the first trial loses and those after it do not.
	seen := map[float64]int{}
	m := mlrsearch.MeasurerFunc(func(_ context.Context, load float64, _ time.Duration) (mlrsearch.TrialOutput, error) {
		seen[load]++
		o := mlrsearch.TrialOutput{Intended: 1000, Offered: 1000, Forwarded: 1000}
		if seen[load] == 1 {
			o.Forwarded = 900
		}
		return o, nil
	})
	quick := mlrsearch.Goal{Name: "quick", ExceedRatio: 0.5, FinalTrialDuration: time.Second, DurationSum: time.Second, Width: 0.1}
	thorough := quick
	thorough.Name, thorough.DurationSum = "thorough", 5*time.Second
	result, err := mlrsearch.Search(t.Context(), mlrsearch.Config{
		Goals: []mlrsearch.Goal{quick, thorough}, MinLoad: 1000, MaxLoad: 1e6,
	}, m)
	if err != nil {
		t.Fatal(err)
	}
	checkResult(t, result)
	if result.Goals[0].Moved == 0 {
		t.Error("no bound of the quick goal moved")
	}
}

// TestSearchTimeExceeded cuts a search short: the bounds so far are reported, marked.
func TestSearchTimeExceeded(t *testing.T) {
	for limit := time.Duration(0); limit < 40*time.Second; limit += time.Second {
		result, err := search(t, newDevice(5e6, hard, 1), func(c *mlrsearch.Config) {
			c.MaxSearchTime = limit + 1
		}, "csit-ndr", "csit-pdr")
		if err != nil {
			t.Fatal(err)
		}
		if result.Elapsed > limit {
			t.Errorf("%v elapsed; the limit is %v", result.Elapsed, limit)
		}
		for _, r := range result.Goals {
			within := r.Lower.Exists() && r.Upper.Exists() &&
				r.Lower.Load >= r.Upper.Load*(1-r.Goal.Width*(1+1e-6))
			if within != r.Regular() || !within && r.Status != mlrsearch.SearchTimeExceeded {
				t.Errorf("limit %v: %v with bounds %v and %v", limit, r.Status, r.Lower.Load, r.Upper.Load)
			}
			if passes := 5e6 / (1 - r.Goal.LossRatio); limit > 10*time.Second &&
				(r.LikelyLower > passes || r.LikelyUpper < passes*(1-1e-6) || r.LikelyLower < 0.9*passes) {
				t.Errorf("limit %v: likely from %v to %v", limit, r.LikelyLower, r.LikelyUpper)
			}
		}
		if limit == 3*time.Second && result.Goals[0].Status != mlrsearch.SearchTimeExceeded {
			t.Errorf("%v after %v", result.Goals[0].Status, limit)
		}
	}
}

// TestInterrupted cancels the context at each trial in turn.
func TestInterrupted(t *testing.T) {
	whole, err := search(t, newDevice(5e6, hard, 1), nil, "csit-ndr", "csit-pdr")
	if err != nil || !whole.Regular() {
		t.Fatal(err)
	}
	reason := errors.New("enough")
	for last := range whole.Trials {
		ctx, cancel := context.WithCancelCause(t.Context())
		d := newDevice(5e6, hard, 1)
		ndr, _ := mlrsearch.PresetByName("csit-ndr")
		c := ndr.Config(minLoad, maxLoad)
		c.Goals = []mlrsearch.Goal{whole.Goals[0].Goal, whole.Goals[1].Goal}
		result, err := mlrsearch.Search(ctx, c, mlrsearch.MeasurerFunc(
			func(ctx context.Context, load float64, duration time.Duration) (mlrsearch.TrialOutput, error) {
				if d.trials == last {
					cancel(reason)
					return mlrsearch.TrialOutput{}, ctx.Err()
				}
				return d.Measure(ctx, load, duration)
			}))
		if !errors.Is(err, reason) {
			t.Errorf("interrupted in trial %d: %v", last, err)
		}
		checkResult(t, result)
		if len(result.Trials) != last || !slices.Equal(result.Trials, whole.Trials[:last]) {
			t.Errorf("interrupted in trial %d: %d trials kept", last, len(result.Trials))
		}
		if result.Goals[1].Status != mlrsearch.Interrupted {
			t.Errorf("interrupted in trial %d: %v", last, result.Goals[1].Status)
		}
	}
}

// TestMeasurerFails checks that impossible outputs end a search, with their cause.
func TestMeasurerFails(t *testing.T) {
	broken := errors.New("the cable is out")
	good := mlrsearch.TrialOutput{Intended: 1000, Offered: 1000, Forwarded: 1000}
	for _, test := range []struct {
		name   string
		change func(*mlrsearch.TrialOutput)
		err    error
		want   error
		says   string
	}{
		{name: "error", err: broken, want: broken},
		{name: "negative forwarded", change: func(o *mlrsearch.TrialOutput) { o.Forwarded = -1 }, says: "-1 forwarded"},
		{name: "negative offered", change: func(o *mlrsearch.TrialOutput) { o.Offered = -1 }, says: "-1 offered"},
		{name: "negative intended", change: func(o *mlrsearch.TrialOutput) { o.Intended = -1 }, says: "-1 intended"},
		{name: "no frames", change: func(o *mlrsearch.TrialOutput) { *o = mlrsearch.TrialOutput{} }, says: "raise the load"},
		{name: "NaN", change: func(o *mlrsearch.TrialOutput) { o.AchievedLoad = math.NaN() }, says: "NaN"},
		{name: "infinite", change: func(o *mlrsearch.TrialOutput) { o.AchievedLoad = math.Inf(1) }, says: "Inf"},
		{name: "negative load", change: func(o *mlrsearch.TrialOutput) { o.AchievedLoad = -5 }, says: "-5"},
		{name: "negative duration", change: func(o *mlrsearch.TrialOutput) { o.EffectiveDuration = -1 }, says: "-1ns"},
		{name: "negative elapsed", change: func(o *mlrsearch.TrialOutput) { o.Elapsed = -1 }, says: "-1ns"},
	} {
		t.Run(test.name, func(t *testing.T) {
			count := 0
			m := mlrsearch.MeasurerFunc(func(context.Context, float64, time.Duration) (mlrsearch.TrialOutput, error) {
				o := good
				if count++; count == 3 {
					if test.change != nil {
						test.change(&o)
					}
					return o, test.err
				}
				return o, nil
			})
			result, err := search(t, m, nil, "csit-ndr")
			if test.want == nil {
				test.want = mlrsearch.ErrTrialOutput
			}
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), "trial 3") {
				t.Errorf("%v", err)
			}
			if len(result.Trials) != 2 || result.Goals[0].Status != mlrsearch.TrialFailed {
				t.Errorf("%d trials, %v", len(result.Trials), result.Goals[0].Status)
			}
		})
	}
}

// TestOfferedLoad checks how a lack or a surplus of frames counts.
func TestOfferedLoad(t *testing.T) {
	const second, none = time.Second, time.Duration(-1)
	for _, test := range []struct {
		name                         string
		tolerance                    time.Duration
		intended, offered, forwarded int64
		loss                         float64
		short                        bool
	}{
		{"all", 0, 1e6, 1e6, 1e6, 0, false},
		{"lost", 0, 1e6, 1e6, 9e5, 0.1, false},
		{"unsent within 10 µs", 0, 1e6, 1e6 - 10, 1e6 - 10, 0, false},
		{"unsent beyond", 0, 1e6, 1e6 - 11, 1e6 - 11, 11e-6, true},
		{"unsent and lost", 0, 1e6, 9e5, 8e5, 0.2, true},
		{"nothing sent", 0, 1e6, 0, 0, 1, true},
		{"a frame at a low load", 0, 100, 99, 99, 0, false},
		{"a frame, no tolerance", none, 100, 99, 99, 0.01, true},
		{"wide tolerance", second / 10, 1e6, 9e5, 9e5, 0, false},
		{"tolerance of the whole trial", second, 10, 0, 0, 1, false},
		{"intended not said", 0, 0, 1000, 990, 0.01, false},
		{"more sent than intended", 0, 1e6, 11e5, 11e5, 1. / 11, false},
		{"more received than sent", 0, 1e6, 1e6, 1e6 + 1000, 0.001, false},
		{"far more received than sent", 0, 1e6, 1e6, 1e9, 1, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := mlrsearch.MeasureReceiveRate(t.Context(), mlrsearch.ReceiveRateConfig{
				Load: 1e6, Trials: 1, Duration: second, OfferedTolerance: test.tolerance,
			}, mlrsearch.MeasurerFunc(func(context.Context, float64, time.Duration) (mlrsearch.TrialOutput, error) {
				return mlrsearch.TrialOutput{Intended: test.intended, Offered: test.offered, Forwarded: test.forwarded}, nil
			}))
			if err != nil {
				t.Fatal(err)
			}
			trial := r.Trials[0]
			if math.Abs(trial.LossRatio-test.loss) > 1e-12 || trial.ShortOffered != test.short {
				t.Errorf("loss ratio %v, short %v; want %v, %v", trial.LossRatio, trial.ShortOffered, test.loss, test.short)
			}
			if want := 1e6 * (1 - test.loss); math.Abs(trial.ForwardingRate()-want) > 1e-3 {
				t.Errorf("forwarding rate %v; want %v", trial.ForwardingRate(), want)
			}
		})
	}
}

// TestShortOfferedSearch searches with a generator that is slower than the device: the
// bounds are those of the generator, and its trials are marked.
func TestShortOfferedSearch(t *testing.T) {
	const generator = 3e6
	result, err := search(t, mlrsearch.MeasurerFunc(func(_ context.Context, load float64, d time.Duration) (mlrsearch.TrialOutput, error) {
		sent := int64(min(load, generator) * d.Seconds())
		return mlrsearch.TrialOutput{Intended: int64(load * d.Seconds()), Offered: sent, Forwarded: sent}, nil
	}), nil, "csit-ndr")
	if err != nil {
		t.Fatal(err)
	}
	r := result.Goals[0]
	if !r.Regular() || r.Lower.Load > generator*1.0001 || r.Upper.Load < generator {
		t.Errorf("%v, bounds %v and %v", r.Status, r.Lower.Load, r.Upper.Load)
	}
	for _, trial := range result.Trials {
		if trial.ShortOffered != (trial.Load > generator*1.00001) {
			t.Errorf("load %v: short %v", trial.Load, trial.ShortOffered)
		}
		if want := min(trial.Load, generator); math.Abs(trial.AchievedLoad/want-1) > 1e-5 {
			t.Errorf("load %v: achieved %v", trial.Load, trial.AchievedLoad)
		}
	}
}

// TestEffectiveDuration checks that a Measurer which counts its waits needs fewer trials,
// as CSIT's does.
func TestEffectiveDuration(t *testing.T) {
	plain, waiting := newDevice(5e6, hard, 1), newDevice(5e6, hard, 1)
	if _, err := search(t, plain, nil, "csit-ndr"); err != nil {
		t.Fatal(err)
	}
	result, err := search(t, mlrsearch.MeasurerFunc(func(ctx context.Context, load float64, d time.Duration) (mlrsearch.TrialOutput, error) {
		o, err := waiting.Measure(ctx, load, d)
		o.EffectiveDuration = d + 500*time.Millisecond
		return o, err
	}), nil, "csit-ndr")
	if err != nil || !result.Regular() {
		t.Fatal(err, result.Goals[0].Status)
	}
	if waiting.trials >= plain.trials {
		t.Errorf("%d trials; without waits %d", waiting.trials, plain.trials)
	}
	if n := len(result.Goals[0].Lower.Trials); n != 7 {
		t.Errorf("the lower bound took %d trials of 1.5 s; want 7", n)
	}
	if want := time.Duration(waiting.trials) * 1500 * time.Millisecond; result.Elapsed != want {
		t.Errorf("%v elapsed; want %v", result.Elapsed, want)
	}
}

// TestProgress checks that progress is reported before each trial and at the end, and that
// the time left is not far off.
func TestProgress(t *testing.T) {
	for _, preset := range []string{"rfc2544", "tst009", "csit-ndr", "csit-pdr"} {
		reports, result := progress(t, newDevice(5e6, soft, 1), preset)
		for i, p := range reports {
			if i < len(result.Trials) && (p.Load != result.Trials[i].Load || p.Duration != result.Trials[i].Duration) {
				t.Errorf("%s: report %d announces load %v for %v", preset, i, p.Load, p.Duration)
			}
			if total := p.Elapsed + p.Remaining; total < result.Elapsed/3 || total > 3*result.Elapsed {
				t.Errorf("%s: report %d: %v elapsed, %v left; it took %v", preset, i, p.Elapsed, p.Remaining, result.Elapsed)
			}
		}
		last, r := reports[len(reports)-1], result.Goals[0]
		if last.Load != 0 || last.Remaining != 0 || last.Done != 1 {
			t.Errorf("%s: at the end: load %v, %v left, done %v", preset, last.Load, last.Remaining, last.Done)
		}
		if g := last.Goals[0]; !g.Reached || g.Lower != r.Lower.Load || g.Upper != r.Upper.Load || g.Name != r.Goal.Name {
			t.Errorf("%s: at the end: %+v", preset, g)
		}
	}
}

// TestProgressOfNoise checks that the share which is done never goes back, even where the
// search has to.
func TestProgressOfNoise(t *testing.T) {
	for run := range runs {
		d := newDevice(capacityOf(run), collapse, uint64(run))
		d.spikes = 0.2
		progress(t, d, "csit-ndr")
	}
}

// progress searches, checks what holds for all reports of progress, and returns them.
func progress(t *testing.T, d *device, preset string) ([]mlrsearch.Progress, mlrsearch.Result) {
	t.Helper()
	var reports []mlrsearch.Progress
	result, err := search(t, d, func(c *mlrsearch.Config) {
		c.Progress = func(p mlrsearch.Progress) { reports = append(reports, p) }
	}, preset)
	if err != nil {
		t.Fatal(err)
	}
	if len(reports) != len(result.Trials)+1 {
		t.Fatalf("%s: %d reports of %d trials", preset, len(reports), len(result.Trials))
	}
	done := 0.0
	for i, p := range reports {
		if p.Done < done || p.Done > 1 || p.Remaining < 0 {
			t.Errorf("%s: report %d: done %v after %v, %v left", preset, i, p.Done, done, p.Remaining)
		}
		done = p.Done
		if p.Trials != i || i > 0 && p.Last != result.Trials[i-1] {
			t.Errorf("%s: report %d tells of %d trials", preset, i, p.Trials)
		}
	}
	return reports, result
}

// TestShortTrialsFirst checks that a goal which one lossy trial decides begins with a short
// one at each load, and spends a long one only where that loses nothing.
func TestShortTrialsFirst(t *testing.T) {
	d := newDevice(5e6, hard, 1)
	result, err := search(t, d, nil, "rfc2544")
	if err != nil {
		t.Fatal(err)
	}
	long := 0
	for _, trial := range result.Trials {
		if trial.Duration > time.Second && trial.LossRatio > 0 {
			t.Errorf("%v at %v, which loses in a second", trial.Duration, trial.Load)
		}
		if trial.Duration == time.Minute {
			long++
		}
	}
	if long != 1 {
		t.Errorf("%d trials of a minute; one is the lower bound's", long)
	}
}

// TestConfigErrors checks that what is wrong with a configuration has a name.
func TestConfigErrors(t *testing.T) {
	nan := math.NaN()
	for _, test := range []struct {
		want   error
		change func(c *mlrsearch.Config, g *mlrsearch.Goal)
	}{
		{mlrsearch.ErrNoGoals, func(c *mlrsearch.Config, _ *mlrsearch.Goal) { c.Goals = nil }},
		{mlrsearch.ErrLoadRange, func(c *mlrsearch.Config, _ *mlrsearch.Goal) { c.MinLoad = 0 }},
		{mlrsearch.ErrLoadRange, func(c *mlrsearch.Config, _ *mlrsearch.Goal) { c.MinLoad = c.MaxLoad }},
		{mlrsearch.ErrLoadRange, func(c *mlrsearch.Config, _ *mlrsearch.Goal) { c.MaxLoad = math.Inf(1) }},
		{mlrsearch.ErrLoadRange, func(c *mlrsearch.Config, _ *mlrsearch.Goal) { c.MaxLoad = nan }},
		{mlrsearch.ErrTrialDuration, func(c *mlrsearch.Config, _ *mlrsearch.Goal) { c.WarmUp = -1 }},
		{mlrsearch.ErrSearchTime, func(c *mlrsearch.Config, _ *mlrsearch.Goal) { c.MaxSearchTime = -1 }},
		{mlrsearch.ErrLossRatio, func(_ *mlrsearch.Config, g *mlrsearch.Goal) { g.LossRatio = 1 }},
		{mlrsearch.ErrLossRatio, func(_ *mlrsearch.Config, g *mlrsearch.Goal) { g.LossRatio = nan }},
		{mlrsearch.ErrExceedRatio, func(_ *mlrsearch.Config, g *mlrsearch.Goal) { g.ExceedRatio = -0.1 }},
		{mlrsearch.ErrExceedRatio, func(_ *mlrsearch.Config, g *mlrsearch.Goal) { g.ExceedRatio = 1 }},
		{mlrsearch.ErrTrialDuration, func(_ *mlrsearch.Config, g *mlrsearch.Goal) { g.FinalTrialDuration = 0 }},
		{mlrsearch.ErrTrialDuration, func(_ *mlrsearch.Config, g *mlrsearch.Goal) { g.InitialTrialDuration = time.Hour }},
		{mlrsearch.ErrDurationSum, func(_ *mlrsearch.Config, g *mlrsearch.Goal) { g.DurationSum = 0 }},
		{mlrsearch.ErrWidth, func(_ *mlrsearch.Config, g *mlrsearch.Goal) { g.Width = 0 }},
		{mlrsearch.ErrWidth, func(_ *mlrsearch.Config, g *mlrsearch.Goal) { g.Width = nan }},
	} {
		d := newDevice(5e6, hard, 1)
		_, err := search(t, d, func(c *mlrsearch.Config) {
			c.Goals = slices.Clone(c.Goals)
			test.change(c, &c.Goals[0])
		}, "csit-ndr")
		if !errors.Is(err, test.want) || d.trials > 0 {
			t.Errorf("%v after %d trials; want %v", err, d.trials, test.want)
		}
	}
}
