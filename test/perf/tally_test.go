package main

import (
	"errors"
	"io"
	"testing"
)

// TestSettled: a group is run until it sees one mode of the CPUs throughout, but
// not for ever, and what was run again is counted.
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
		{"a change between the runs", 2, [][]float64{{fast, fast, slow, slow}, {slow, slow, slow, slow}}, tally{Again: 1}, 2},
		{"a change during a run, twice", 2, [][]float64{{fast, slow, slow, slow}, {slow, slow, slow, fast}, {fast, fast, fast, fast}}, tally{Again: 2}, 3},
		{"changes without end", 2, [][]float64{{fast, slow, slow, slow}, {slow, slow, fast, fast}, {fast, fast, fast, slow}}, tally{Again: 2, Changed: 1}, 3},
		{"no second try", 0, [][]float64{{fast, slow, slow, slow}}, tally{Changed: 1}, 1},
	} {
		l := &lab{options: options{Retries: c.retries}, progress: io.Discard}
		var got tally
		groups := 0
		pair, err := l.settled(&got, func() ([]result, error) {
			m := c.modes[groups]
			groups++
			return []result{{Mpps: float64(groups), Trips: m[:2]}, {Mpps: float64(groups), Trips: m[2:]}}, nil
		})
		if err != nil || got != c.want || groups != c.runs || len(pair) != 2 || pair[1].Mpps != float64(groups) {
			t.Errorf("%s: %+v after %d groups, the last of which counts: %v, %v; want %+v after %d", c.name, got, groups, pair, err, c.want, c.runs)
		}
	}
	broken := errors.New("broken")
	if _, err := new(lab).settled(new(tally), func() ([]result, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}
}
