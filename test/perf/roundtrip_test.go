package main

import (
	"strings"
	"testing"
	"time"
)

// TestRoundTrip checks that a cache line takes some time, also while another program
// polls on one of the CPUs, and that does not show.
func TestRoundTrip(t *testing.T) {
	p, err := startProcess(0, nil, "/bin/sh", "-c", "while :; do :; done")
	if err != nil {
		t.Fatal(err)
	}
	defer p.kill()
	begin := time.Now()
	ns, err := roundTrip(1, 0)
	if err != nil || ns <= 0 || ns > 1e6 {
		t.Errorf("%.0f ns, %v", ns, err)
	}
	t.Logf("%.0f ns, found in %v", ns, time.Since(begin))
}

func TestRoundTripFails(t *testing.T) {
	for _, cpus := range [][2]int{{1023, 0}, {1, 1023}} {
		if _, err := roundTrip(cpus[0], cpus[1]); err == nil ||
			!strings.Contains(err.Error(), "CPU 1023") {
			t.Errorf("%v: %v, want an error that names the CPU", cpus, err)
		}
	}
}

func TestApart(t *testing.T) {
	for _, c := range []struct {
		trips []float64
		want  bool
	}{
		{nil, false}, {[]float64{60}, false}, {[]float64{60, 119}, false},
		{[]float64{320, 300, 161}, false},
		{[]float64{60, 60, 130}, true}, {[]float64{320, 60}, true},
	} {
		if got := apart(c.trips); got != c.want {
			t.Errorf("%v: %v", c.trips, got)
		}
	}
}
