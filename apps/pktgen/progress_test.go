package main

import (
	"math"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/mlrsearch"
)

// TestLossClass: a trial has low loss for the goals whose loss ratio it does not exceed.
func TestLossClass(t *testing.T) {
	ndr, pdr := mlrsearch.Goal{Name: "NDR"}, mlrsearch.Goal{Name: "PDR", LossRatio: 0.005}
	for _, c := range []struct {
		goals []mlrsearch.Goal
		loss  float64
		want  string
	}{
		{nil, 0.5, ""},
		{[]mlrsearch.Goal{ndr}, 0, "low loss"},
		{[]mlrsearch.Goal{ndr}, 1e-9, "high loss"},
		{[]mlrsearch.Goal{ndr, pdr}, 0, "low loss"},
		{[]mlrsearch.Goal{ndr, pdr}, 0.005, "PDR low loss"},
		{[]mlrsearch.Goal{ndr, pdr}, 1, "high loss"},
	} {
		if got := lossClass(c.goals, c.loss); got != c.want {
			t.Errorf("%v of loss: %q, want %q", c.loss, got, c.want)
		}
	}
}

// TestShownRate: a rate has four digits at most and reads like one of the command line.
func TestShownRate(t *testing.T) {
	for pps, want := range map[float64]string{
		1: "1pps", 0.25: "0.25pps", 1000: "1kpps", 100e3: "100kpps", 14880952.38: "14.88Mpps", 110000.00000000001: "110kpps",
		0: "0pps", math.Inf(1): "max",
	} {
		if got := shownRate(pps); got != want {
			t.Errorf("%v: %q, want %q", pps, got, want)
		}
	}
}
