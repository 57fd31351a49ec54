package result

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/mlrsearch"
)

// device forwards capacity packets a second and sends at most limit.
func device(capacity, limit float64) mlrsearch.Measurer {
	return mlrsearch.MeasurerFunc(func(_ context.Context, load float64, d time.Duration) (mlrsearch.TrialOutput, error) {
		frames := func(pps float64) int64 { return int64(pps * d.Seconds()) }
		return mlrsearch.TrialOutput{
			Intended: frames(load), Offered: frames(min(load, limit)), Forwarded: frames(min(load, limit, capacity)),
		}, nil
	})
}

// TestNewSearch runs searches with a device that is known and compares the report.
func TestNewSearch(t *testing.T) {
	goals := []mlrsearch.Goal{
		{Name: "ndr", FinalTrialDuration: time.Second, DurationSum: time.Second, Width: 0.01},
		{Name: "half", LossRatio: 0.5, FinalTrialDuration: time.Second, DurationSum: 3 * time.Second, ExceedRatio: 0.5, Width: 0.01},
	}
	c := mlrsearch.Config{Goals: goals, MinLoad: 1e4, MaxLoad: 2e6, WarmUp: time.Second}
	found, err := mlrsearch.Search(t.Context(), c, device(1e6, 1.9e6))
	if err != nil {
		t.Fatal(err)
	}
	s := NewSearch(FixedSize(60), 2, c, found)
	if s.Repetition != 2 || s.MinLoad != NewRate(1e4, 60) || s.MaxLoad.PPS != 2e6 || len(s.Goals) != 2 {
		t.Errorf("%+v", s)
	}
	ndr := s.Goals[0]
	if ndr.Goal.Name != "ndr" || ndr.Goal.DurationSum != 1e9 || ndr.Irregular != "" || ndr.LowerBound == nil || ndr.UpperBound == nil {
		t.Fatalf("%+v", ndr)
	}
	if low, high := ndr.LowerBound.Load.PPS, ndr.UpperBound.Load.PPS; low > 1e6 || high < 1e6 || high > low*1.0102 {
		t.Errorf("bounds %g to %g", low, high)
	}
	if ndr.ConditionalThroughput != ndr.LowerBound.Load || ndr.LowerBound.Trials == 0 || ndr.LowerBound.DurationSum < 1e9 {
		t.Errorf("lower bound %+v, throughput %+v", ndr.LowerBound, ndr.ConditionalThroughput)
	}
	if len(s.Trials) != len(found.Trials) || !s.Trials[0].WarmUp {
		t.Fatalf("%d trials of %d", len(s.Trials), len(found.Trials))
	}
	// The warm-up: 2 Mpps asked for, 1.9 sent, 1 received.
	if w := s.Trials[0]; w.Sent != 1900000 || w.Unsent != 100000 || w.Lost != 1000000 || w.Load.PPS != 2e6 || w.Duration != 1e9 {
		t.Errorf("warm-up %+v", w)
	}
}

// TestNewSearchIrregular: bounds that were not found are not there, and the reason is.
func TestNewSearchIrregular(t *testing.T) {
	goal := mlrsearch.Goal{Name: "ndr", FinalTrialDuration: time.Second, DurationSum: time.Second, Width: 0.01}
	c := mlrsearch.Config{Goals: []mlrsearch.Goal{goal}, MinLoad: 1e4, MaxLoad: 2e6}
	for capacity, want := range map[float64]string{100: "min load fails", 1e9: "max load passes"} {
		found, err := mlrsearch.Search(t.Context(), c, device(capacity, 1e9))
		if err != nil {
			t.Fatal(err)
		}
		g := NewSearch(FixedSize(60), 1, c, found).Goals[0]
		if g.Irregular != want || (g.LowerBound == nil) != (capacity == 100) || (g.UpperBound == nil) != (capacity == 1e9) {
			t.Errorf("%g pps: %+v", capacity, g)
		}
	}
}

func TestNewLossCurveAndMRR(t *testing.T) {
	config := mlrsearch.LossCurveConfig{MaxLoad: 2e6, Duration: time.Second}
	curve, err := mlrsearch.MeasureLossCurve(t.Context(), config, device(1.5e6, 1e9))
	if err != nil {
		t.Fatal(err)
	}
	l := NewLossCurve(FixedSize(60), config, curve)
	if first := l.Points[0]; !l.Complete || first.Percent != 100 || first.Offered.PPS != 2e6 || first.Received.PPS != 1.5e6 ||
		first.Sent != 2e6 || first.Lost != 5e5 || first.LossRatio != 0.25 {
		t.Errorf("%+v", l)
	}
	rates := mlrsearch.ReceiveRateConfig{Load: 2e6, Trials: 3, Duration: time.Second}
	received, err := mlrsearch.MeasureReceiveRate(t.Context(), rates, device(1.5e6, 1e9))
	if err != nil {
		t.Fatal(err)
	}
	if m := NewMRR(FixedSize(60), rates, received); m.Median != 1.5e6 || m.Min != 1.5e6 || m.Max != 1.5e6 || len(m.Trials) != 3 ||
		m.Offered.PPS != 2e6 || m.Duration != 1e9 {
		t.Errorf("%+v", m)
	}
}

// buffer forwards bursts that it has room for.
type buffer int64

// MeasureBurst implements mlrsearch.BurstMeasurer.
func (b buffer) MeasureBurst(_ context.Context, frames int64) (int64, error) {
	if frames < 0 {
		return 0, errors.New("a negative burst")
	}
	return min(frames, int64(b)), nil
}

// TestNewBackToBack computes by hand what RFC 9004 asks for.
func TestNewBackToBack(t *testing.T) {
	c := mlrsearch.BackToBackConfig{MinFrames: 1, MaxFrames: 4096, Repetitions: 2, MaxFrameRate: 10e6, Throughput: 5e6}
	found, err := mlrsearch.MeasureBackToBack(t.Context(), c, buffer(2000))
	if err != nil {
		t.Fatal(err)
	}
	want := BackToBack{Size: FixedSize(60), SendRate: NewRate(10e6, 60), ForwardingRate: NewRate(5e6, 60),
		Bursts: []int64{2000, 2000}, Mean: 2000, Min: 2000, Max: 2000, BufferTime: 200000, CorrectedBufferTime: 100000}
	if got := NewBackToBack(FixedSize(60), c, found); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
