package main

import "time"

// tally counts what the rates of some runs do not show.
type tally struct {
	// Again are groups of runs, such as pairs, that were run again because the
	// CPUs changed their mode meanwhile; Changed are those that count although
	// the CPUs did so each time.
	Again   int `json:"again"`
	Changed int `json:"changed"`
	// Stalls are runs of each side in which it stood still.
	Stalls [sides]int `json:"stalls"`
	// Collections are those of garbage by ours, while it was Measured.
	Collections int           `json:"collections"`
	Measured    time.Duration `json:"measured"`
}

// standstill is below what any driver does that works, in millions a second.
const standstill = 0.1

// steady has a driver run, twice more if it stands still: that a program
// sometimes stalls is counted, and says nothing of its speed. The last run counts
// as it is.
func (l *lab) steady(t *tally, s side, run func() (result, error)) (result, error) {
	for left := 2; ; left-- {
		r, err := run()
		if err == nil && s != dpdk {
			t.Collections += r.Collections
			t.Measured += r.Measured
		}
		if err != nil || r.Mpps >= standstill {
			return r, err
		}
		t.Stalls[s]++
		if left == 0 {
			l.say("%v stood still at %.2f Mpps; it counts all the same", s, r.Mpps)
			return r, nil
		}
		l.say("%v stood still at %.2f Mpps; once more", s, r.Mpps)
	}
}

// settled has a group of runs done again if the CPUs changed their mode during
// it: one half of it would be compared with another machine's. When Retries are
// used up, the last one counts as it is.
func (l *lab) settled(t *tally, group func() ([]result, error)) ([]result, error) {
	for left := l.options.Retries; ; left-- {
		runs, err := group()
		if err != nil {
			return nil, err
		}
		var trips []float64
		for _, r := range runs {
			trips = append(trips, r.Trips...)
		}
		if !apart(trips) {
			return runs, nil
		}
		if left <= 0 {
			t.Changed++
			l.say("the CPUs changed their mode, round trips %.0f ns; it counts all the same", trips)
			return runs, nil
		}
		t.Again++
		l.say("the CPUs changed their mode, round trips %.0f ns; once more", trips)
	}
}

// plus adds up.
func (t tally) plus(u tally) tally {
	t.Again += u.Again
	t.Changed += u.Changed
	t.Collections += u.Collections
	t.Measured += u.Measured
	for s := range t.Stalls {
		t.Stalls[s] += u.Stalls[s]
	}
	return t
}
