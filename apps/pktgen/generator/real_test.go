package generator

import (
	"context"
	"flag"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/pace"
)

// accuracyTime makes TestRateAccuracy a measurement: that long for each rate, each of which is to
// be met within accuracy. It wants a machine that does nothing else.
var accuracyTime = flag.Duration("accuracy", 0, "how long TestRateAccuracy holds each rate; 0 for a short look")

const accuracy = 0.005

// TestRateAccuracy holds rates over a cable, and receives every packet.
func TestRateAccuracy(t *testing.T) {
	run := Run{Duration: 100 * time.Millisecond, Tolerance: anyRate}
	if *accuracyTime > 0 {
		run = Run{Duration: *accuracyTime, Tolerance: accuracy}
	}
	for _, pps := range []float64{1e3, 1e5, 1e6} {
		for _, kind := range []pace.Kind{pace.Continuous, pace.Poisson} {
			pattern := pace.Pattern{Kind: kind, Seed: 1}
			t.Run(fmt.Sprintf("%.0f pps %v", pps, pattern), func(t *testing.T) {
				r := newRig(t, 1, []string{"emu:cable=a", "emu:cable=a"}, func(c *Config) {
					c.Ports[0].Streams = []Stream{{Source: &counter{length: 60}, PPS: pps, Pattern: pattern}}
					c.Ports[1].Receiver = &checker{}
				})
				r.start(t)
				got, err := r.Trial(context.Background(), run)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("intended %.6g pps, achieved %.6g pps, received %.6g pps, up to %v late",
					got.Intended.PPS, got.Achieved.PPS, got.Received.PPS, r.streams[0][0].pacer.MaxLate())
				if got.Lost != got.Unsent {
					t.Errorf("%d packets lost, %d of them unsent", got.Lost, got.Unsent)
				}
				intended := float64(got.Sent + got.Unsent)
				want, spread := pps*run.Duration.Seconds(), 0.0
				if kind == pace.Poisson {
					spread = 5 * math.Sqrt(want)
				}
				if math.Abs(intended-want) > spread {
					t.Errorf("%v packets were due, not %v", intended, want)
				}
			})
		}
	}
}

// TestPoissonGapsAsSent takes the times at which packets were filled. A busy machine bunches
// packets, so gaps count only between two that were filled on time.
func TestPoissonGapsAsSent(t *testing.T) {
	const (
		pps    = 20000
		onTime = 10_000 // ns
		enough = 2000   // gaps
	)
	pattern := pace.Pattern{Kind: pace.Poisson, Seed: 7}
	sink := &stamps{}
	r := newRig(t, 1, []string{"emu:cable=a", "emu:cable=a"}, func(c *Config) {
		c.Ports[0].Streams = []Stream{{Source: &counter{length: 60}, PPS: pps, Pattern: pattern}}
		c.Ports[1].Receiver = sink
	})
	var gaps []float64
	for trials := 0; len(gaps) < enough; trials++ {
		if trials == 100 {
			t.Fatalf("%d gaps in %d trials: hardly a packet was sent on time", len(gaps), trials)
		}
		sink.times = nil
		r.start(t)
		got, err := r.Trial(context.Background(), Run{Duration: 100 * time.Millisecond, Tolerance: anyRate})
		if err != nil {
			t.Fatal(err)
		}
		r.stop(t)
		due, err := pace.New(pace.Config{PPS: pps, Pattern: pattern})
		if err != nil {
			t.Fatal(err)
		}
		due.Start(int64(got.Start.Sub(r.Clock().start)), pace.Forever)
		late := int64(onTime)
		for i, at := range sink.times {
			before := late
			late = at - due.Oldest()
			if due.Advance(1); late < 0 {
				t.Fatalf("packet %d was sent %d ns before it was due", i, -late)
			}
			if before < onTime && late < onTime {
				gaps = append(gaps, float64(at-sink.times[i-1])*pps/1e9)
			}
		}
		pattern.Seed++
		r.config.Ports[0].Streams[0].Pattern.Seed++
	}
	slices.Sort(gaps)
	most, n := 0.0, float64(len(gaps))
	for i, gap := range gaps {
		expected := 1 - math.Exp(-gap)
		most = max(most, expected-float64(i)/n, float64(i+1)/n-expected)
	}
	t.Logf("%d gaps are up to %.4f off; a fair sample is less than %.4f in 99 of 100", len(gaps), most, 1.628/math.Sqrt(n))
	if most > 0.35 { // equal gaps would be 0.63 off
		t.Errorf("%d gaps are up to %.3f off an exponential distribution", len(gaps), most)
	}
}
