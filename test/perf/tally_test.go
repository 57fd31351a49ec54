package main

import (
	"errors"
	"io"
	"testing"
	"time"
)

// TestSettled checks that a group is run until it sees one mode of the CPUs throughout,
// but not for ever, and what was run again is counted.
func TestSettled(t *testing.T) {
	const fast, slow = 60, 320
	for _, c := range []struct {
		name    string
		retries int
		modes   [][]float64 // before and after both runs, of each group
		want    tally
		runs    int
	}{
		{"one mode", 2, [][]float64{{fast, 70, 80, 110}}, tally{}, 1},
		{"slow all the time", 2, [][]float64{{slow, slow, slow, slow}}, tally{}, 1},
		{"a change between the runs", 2,
			[][]float64{{fast, fast, slow, slow}, {slow, slow, slow, slow}}, tally{Again: 1}, 2},
		{"a change during a run, twice", 2,
			[][]float64{{fast, slow, slow, slow}, {slow, slow, slow, fast},
				{fast, fast, fast, fast}}, tally{Again: 2}, 3},
		{"changes without end", 2, [][]float64{{fast, slow, slow, slow}, {slow, slow, fast, fast},
			{fast, fast, fast, slow}}, tally{Again: 2, Changed: 1}, 3},
		{"no second try", 0, [][]float64{{fast, slow, slow, slow}}, tally{Changed: 1}, 1},
	} {
		l := &lab{options: options{Retries: c.retries}, progress: io.Discard}
		var got tally
		groups := 0
		pair, err := l.settled(&got, func() ([]result, error) {
			m := c.modes[groups]
			groups++
			return []result{{Mpps: float64(groups), Trips: m[:2]},
				{Mpps: float64(groups), Trips: m[2:]}}, nil
		})
		if err != nil || got != c.want || groups != c.runs || len(pair) != 2 ||
			pair[1].Mpps != float64(groups) {
			t.Errorf("%s: %+v after %d groups, the last of which counts: %v, %v; want %+v after %d",
				c.name, got, groups, pair, err, c.want, c.runs)
		}
	}
	broken := errors.New("broken")
	if _, err := new(lab).settled(new(tally), func() ([]result, error) {
		return nil, broken
	}); !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}
}

// TestSteady checks that a driver that stands still runs again, twice, and each time is
// counted for its side.
func TestSteady(t *testing.T) {
	for _, c := range []struct {
		mpps   []float64
		stalls int
	}{{[]float64{5}, 0}, {[]float64{0.01, 5}, 1}, {[]float64{0, 0.09, 5}, 2},
		{[]float64{0, 0, 0}, 3}} {
		l := &lab{progress: io.Discard}
		var got tally
		runs := 0
		r, err := l.steady(&got, dpdk, func() (result, error) {
			runs++
			return result{Mpps: c.mpps[runs-1]}, nil
		})
		if err != nil || runs != len(c.mpps) || r.Mpps != c.mpps[runs-1] ||
			got.Stalls != [sides]int{dpdk: c.stalls} {
			t.Errorf("%v: %+v after %d runs, %.2f Mpps: %v", c.mpps, got, runs, r.Mpps, err)
		}
	}
	// Ours are watched for garbage, also in runs that do not count otherwise.
	l, got := &lab{progress: io.Discard}, tally{}
	mpps := 0.0
	_, err := l.steady(&got, ours, func() (result, error) {
		mpps++
		return result{Mpps: mpps - 1, Measured: time.Second, Collections: 1}, nil
	})
	if want := (tally{Stalls: [sides]int{ours: 1}, Collections: 2,
		Measured: 2 * time.Second}); err != nil || got != want {
		t.Errorf("%+v, want %+v: %v", got, want, err)
	}
	broken := errors.New("broken")
	if _, err := new(lab).steady(new(tally), ours, func() (result, error) {
		return result{}, broken
	}); !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}
}

// TestPlus checks that every count is in the sum.
func TestPlus(t *testing.T) {
	a := tally{Again: 1, Changed: 2, Stalls: [sides]int{3, 4}, Collections: 5, Measured: time.Second}
	if got, want := a.plus(a), (tally{Again: 2, Changed: 4, Stalls: [sides]int{6, 8}, Collections: 10,
		Measured: 2 * time.Second}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
