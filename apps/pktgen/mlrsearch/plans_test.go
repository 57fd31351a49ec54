package mlrsearch_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/mlrsearch"
)

func TestReceiveRate(t *testing.T) {
	p, err := mlrsearch.PresetByName("mrr")
	if err != nil {
		t.Fatal(err)
	}
	c := p.ReceiveRate
	c.Load = maxLoad
	var reports []mlrsearch.Progress
	c.Progress = func(p mlrsearch.Progress) { reports = append(reports, p) }
	d := newDevice(5e6, hard, 1)
	d.jitter = 0.1
	r, err := mlrsearch.MeasureReceiveRate(t.Context(), c, d)
	if err != nil {
		t.Fatal(err)
	}
	low, high, sum, squares := math.Inf(1), 0.0, 0.0, 0.0
	var rates []float64
	for _, trial := range r.Trials {
		if trial.Load != maxLoad || trial.Duration != time.Second {
			t.Errorf("trial at %v for %v", trial.Load, trial.Duration)
		}
		rate := float64(trial.Forwarded)
		rates = append(rates, rate)
		low, high, sum, squares = min(low, rate), max(high, rate), sum+rate, squares+rate*rate
	}
	slices.Sort(rates)
	stddev := math.Sqrt((squares - sum*sum/10) / 9)
	for _, f := range []struct {
		name      string
		got, want float64
	}{
		{"count", float64(r.Rate.Count), 10}, {"min", r.Rate.Min, low}, {"max", r.Rate.Max, high},
		{"median", r.Rate.Median, (rates[4] + rates[5]) / 2},
		{"mean", r.Rate.Mean, sum / 10}, {"stddev", r.Rate.StdDev, stddev},
	} {
		if math.Abs(f.got/f.want-1) > 1e-6 {
			t.Errorf("%s %v; want %v", f.name, f.got, f.want)
		}
	}
	if low < 4.4e6 || high > 5e6 || d.trials != 10 {
		t.Errorf("from %v to %v in %d trials", low, high, d.trials)
	}
	for i, p := range reports {
		if p.Trials != i || math.Abs(p.Done-float64(i)/10) > 1e-9 || p.Remaining != time.Duration(10-i)*time.Second {
			t.Errorf("report %d: %d trials, done %v, %v left", i, p.Trials, p.Done, p.Remaining)
		}
	}
	if len(reports) != 11 {
		t.Errorf("%d reports", len(reports))
	}
	c.Trials = 0
	if _, err := mlrsearch.MeasureReceiveRate(t.Context(), c, d); !errors.Is(err, mlrsearch.ErrTrials) {
		t.Error(err)
	}
}

// cancelAt returns a Measurer that cancels the context in the given trial.
func cancelAt(trial int, cancel func(), m mlrsearch.Measurer) mlrsearch.Measurer {
	count := 0
	return mlrsearch.MeasurerFunc(func(ctx context.Context, load float64, d time.Duration) (mlrsearch.TrialOutput, error) {
		if count++; count == trial {
			cancel()
			return mlrsearch.TrialOutput{}, ctx.Err()
		}
		return m.Measure(ctx, load, d)
	})
}

// TestPlansInterrupted checks that all plans keep what they have when they are cut short.
func TestPlansInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	rates, err := mlrsearch.MeasureReceiveRate(ctx, mlrsearch.ReceiveRateConfig{
		Load: maxLoad, Trials: 10, Duration: time.Second,
	}, cancelAt(4, cancel, newDevice(5e6, hard, 1)))
	if !errors.Is(err, context.Canceled) || len(rates.Trials) != 3 || rates.Rate.Count != 3 {
		t.Errorf("receive rate: %v, %d trials", err, len(rates.Trials))
	}
	ctx, cancel = context.WithCancel(t.Context())
	curve, err := mlrsearch.MeasureLossCurve(ctx, mlrsearch.LossCurveConfig{
		MaxLoad: maxLoad, Duration: time.Second,
	}, cancelAt(4, cancel, newDevice(5e6, hard, 1)))
	if !errors.Is(err, context.Canceled) || len(curve.Trials) != 3 || curve.Complete {
		t.Errorf("loss curve: %v, %d trials", err, len(curve.Trials))
	}
	ctx, cancel = context.WithCancel(t.Context())
	points, err := mlrsearch.MeasureLatency(ctx, mlrsearch.LatencyConfig{Rate: 1e6, Duration: time.Second},
		latencyFunc(func(ctx context.Context, load float64, _ time.Duration) (float64, error) {
			if load > 4e5 {
				cancel()
			}
			return load, ctx.Err()
		}))
	if !errors.Is(err, context.Canceled) || len(points) != 1 {
		t.Errorf("latency: %v, %d points", err, len(points))
	}
	ctx, cancel = context.WithCancel(t.Context())
	count := 0
	bursts, err := mlrsearch.MeasureBackToBack(ctx, mlrsearch.BackToBackConfig{MinFrames: 1, MaxFrames: 1000},
		burstFunc(func(ctx context.Context, frames int64) (int64, error) {
			if count++; count == 30 {
				cancel()
				return 0, ctx.Err()
			}
			return min(frames, 100), nil
		}))
	if !errors.Is(err, context.Canceled) || len(bursts.Bursts) != 2 || bursts.Frames.Mean != 100 {
		t.Errorf("back-to-back: %v, %v", err, bursts.Bursts)
	}
}

func TestLossCurve(t *testing.T) {
	for _, test := range []struct {
		step, capacity float64
		trials         int
		complete       bool
	}{
		{0, 0.55 * maxLoad, 7, true},     // loss at 100 to 60 %, none at 50 and 40 %
		{0.05, 0.52 * maxLoad, 12, true}, // loss at 100 to 55 %
		{0, maxLoad, 2, true},
		{0, 0.15 * maxLoad, 10, false}, // one trial without loss, at 10 %
		{0.03, 1, 34, false},
	} {
		c := mlrsearch.LossCurveConfig{MaxLoad: maxLoad, Step: test.step, Duration: time.Second}
		curve, err := mlrsearch.MeasureLossCurve(t.Context(), c, newDevice(test.capacity, hard, 1))
		if err != nil {
			t.Fatal(err)
		}
		if len(curve.Trials) != test.trials || curve.Complete != test.complete {
			t.Errorf("capacity %v: %d trials, complete %v", test.capacity, len(curve.Trials), curve.Complete)
		}
		step := test.step
		if step == 0 {
			step = 0.1
		}
		for i, trial := range curve.Trials {
			load := maxLoad * (1 - float64(i)*step)
			loss := max(0, 1-test.capacity/load)
			if math.Abs(trial.Load/load-1) > 1e-9 || math.Abs(trial.LossRatio-loss) > 1e-5 {
				t.Errorf("trial %d: load %v, loss %v; want %v, %v", i, trial.Load, trial.LossRatio, load, loss)
			}
		}
	}
	for _, c := range []mlrsearch.LossCurveConfig{
		{MaxLoad: maxLoad, Step: 0.2, Duration: time.Second}, {MaxLoad: math.NaN(), Duration: time.Second},
	} {
		if _, err := mlrsearch.MeasureLossCurve(t.Context(), c, lose(0)); !errors.Is(err, mlrsearch.ErrLoadRange) {
			t.Error(err)
		}
	}
}

type latencyFunc func(context.Context, float64, time.Duration) (float64, error)

func (f latencyFunc) MeasureLatency(ctx context.Context, load float64, d time.Duration) (float64, error) {
	return f(ctx, load, d)
}

func TestLatency(t *testing.T) {
	m := latencyFunc(func(_ context.Context, load float64, d time.Duration) (float64, error) {
		if d != 2*time.Minute {
			return 0, fmt.Errorf("duration %v", d)
		}
		return load / 1e6, nil
	})
	c := mlrsearch.LatencyConfig{Rate: 1e6, Duration: 2 * time.Minute, MinLoad: 2e5}
	points, err := mlrsearch.MeasureLatency(t.Context(), c, m)
	if err != nil {
		t.Fatal(err)
	}
	want := []mlrsearch.LatencyPoint[float64]{{0.1, 2e5, 0.2}, {0.5, 5e5, 0.5}, {0.9, 9e5, 0.9}}
	if fmt.Sprint(points) != fmt.Sprint(want) {
		t.Errorf("%v; want %v", points, want)
	}
	broken := errors.New("no probe came back")
	_, err = mlrsearch.MeasureLatency(t.Context(), c,
		latencyFunc(func(context.Context, float64, time.Duration) (float64, error) { return 0, broken }))
	if !errors.Is(err, broken) {
		t.Error(err)
	}
	c.Rate = 0
	if _, err := mlrsearch.MeasureLatency(t.Context(), c, m); !errors.Is(err, mlrsearch.ErrLoadRange) {
		t.Error(err)
	}
}

type burstFunc func(context.Context, int64) (int64, error)

func (f burstFunc) MeasureBurst(ctx context.Context, frames int64) (int64, error) {
	return f(ctx, frames)
}

// buffer is a device that forwards at a rate while it buffers what comes faster.
func buffer(frames, rate, arrival float64, noise func() float64) burstFunc {
	return func(_ context.Context, burst int64) (int64, error) {
		// Within the burst, rate/arrival of it leave.
		fits := frames / (1 - rate/arrival) * noise()
		return int64(min(float64(burst), fits)), nil
	}
}

// TestBackToBack searches a device of known buffer: the corrected buffer time is its size
// at the maximum frame rate.
func TestBackToBack(t *testing.T) {
	const size, rate, arrival = 2048.0, 5e6, maxLoad
	random := rand.New(rand.NewPCG(1, 1))
	c := mlrsearch.BackToBackConfig{MinFrames: 1, MaxFrames: 2 * arrival, MaxFrameRate: arrival, Throughput: rate}
	r, err := mlrsearch.MeasureBackToBack(t.Context(), c, buffer(size, rate, arrival, func() float64 { return 1 }))
	if err != nil {
		t.Fatal(err)
	}
	longest := math.Floor(size / (1 - rate/arrival))
	if r.Frames != (mlrsearch.Summary{Count: 50, Min: longest, Median: longest, Mean: longest, Max: longest}) {
		t.Errorf("%+v; want %v", r.Frames, longest)
	}
	implied, corrected := longest/arrival, size/arrival
	if got := r.ImpliedBufferTime.Seconds(); math.Abs(got/implied-1) > 1e-3 {
		t.Errorf("implied buffer time %v; want %v s", r.ImpliedBufferTime, implied)
	}
	if got := r.CorrectedBufferTime.Seconds(); math.Abs(got/corrected-1) > 1e-3 {
		t.Errorf("corrected buffer time %v; want %v s", r.CorrectedBufferTime, corrected)
	}

	// A buffer that is at times half full: verified, the search finds it empty.
	spike := func() float64 {
		if random.Float64() < 0.02 {
			return 0.5
		}
		return 1
	}
	plain, err := mlrsearch.MeasureBackToBack(t.Context(), c, buffer(size, rate, arrival, spike))
	if err != nil {
		t.Fatal(err)
	}
	c.Verify = true
	verified, err := mlrsearch.MeasureBackToBack(t.Context(), c, buffer(size, rate, arrival, spike))
	if err != nil {
		t.Fatal(err)
	}
	if plain.Frames.StdDev <= verified.Frames.StdDev || verified.Frames.Mean < 0.99*longest {
		t.Errorf("%+v; verified %+v", plain.Frames, verified.Frames)
	}
}

// TestBackToBackLimits: a burst that is never lost, one that always is, and a throughput at
// which the benchmark says nothing.
func TestBackToBackLimits(t *testing.T) {
	c := mlrsearch.BackToBackConfig{
		MinFrames: 10, MaxFrames: 1000, Repetitions: 3, MaxFrameRate: 1e6, Throughput: 1e6,
	}
	done := 0.0
	c.Progress = func(d float64, _ int64) { done = d }
	all, err := mlrsearch.MeasureBackToBack(t.Context(), c,
		burstFunc(func(_ context.Context, n int64) (int64, error) { return n, nil }))
	if err != nil || all.AtMax != 3 || all.BelowMin != 0 || all.Frames.Mean != 1000 {
		t.Errorf("%v, %+v", err, all)
	}
	if all.ImpliedBufferTime != 0 || all.CorrectedBufferTime != 0 {
		t.Errorf("buffer times %v and %v at the maximum throughput", all.ImpliedBufferTime, all.CorrectedBufferTime)
	}
	if done != 2./3 {
		t.Errorf("done %v before the last search", done)
	}
	none, err := mlrsearch.MeasureBackToBack(t.Context(), c,
		burstFunc(func(context.Context, int64) (int64, error) { return 0, nil }))
	if err != nil || none.BelowMin != 3 || none.AtMax != 0 || none.Frames.Max != 0 {
		t.Errorf("%v, %+v", err, none)
	}
	broken := errors.New("the link is down")
	if _, err := mlrsearch.MeasureBackToBack(t.Context(), c,
		burstFunc(func(context.Context, int64) (int64, error) { return 0, broken })); !errors.Is(err, broken) {
		t.Error(err)
	}
	if _, err := mlrsearch.MeasureBackToBack(t.Context(), c,
		burstFunc(func(context.Context, int64) (int64, error) { return -1, nil })); !errors.Is(err, mlrsearch.ErrTrialOutput) {
		t.Error(err)
	}
	c.MinFrames = 2000
	if _, err := mlrsearch.MeasureBackToBack(t.Context(), c, nil); !errors.Is(err, mlrsearch.ErrBurst) {
		t.Error(err)
	}
}
