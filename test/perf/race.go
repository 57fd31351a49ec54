package main

import (
	"context"
	"errors"
	"math"
	"slices"
)

// row is one line of the table to come.
type row struct {
	Qualified bool `json:"qualified"` // each driver's best path by qualifying
	Size      int  `json:"size"`
	Ours      path `json:"ours"`
	DPDK      path `json:"dpdk"`
}

// bySize returns the rows of each size, sizes in the order of their first rows.
func bySize(rows []row) [][]row {
	var groups [][]row
	for _, r := range rows {
		i := slices.IndexFunc(groups, func(g []row) bool { return g[0].Size == r.Size })
		if i < 0 {
			groups = append(groups, []row{r})
		} else {
			groups[i] = append(groups[i], r)
		}
	}
	return groups
}

// outcome is one line of the table.
type outcome struct {
	row
	Heat int  `json:"heat"`
	Work work `json:"work"`
	// Mpps have one value for each pair of runs.
	OurMpps  []float64 `json:"our_mpps"`
	DPDKMpps []float64 `json:"dpdk_mpps"`
	// Trips are round trips between the CPUs around these runs, in nanoseconds.
	Trips []float64 `json:"round_trips_ns"`
	tally
	// What the drivers say of themselves, from runs that are not in Mpps.
	OurAccount  account `json:"our_account"`
	DPDKAccount account `json:"dpdk_account"`
}

// starter has a side do a job.
type starter func(side, job) (result, error)

// race has both drivers run the rows of a size, and then once each with their own
// records on. What was measured before something failed comes with the error.
func (l *lab) race(ctx context.Context, heat int, w work, rows []row) (list []outcome, err error) {
	b, err := l.startBackEnd(ctx, heat, w, rows[0].Size)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.stop()) }()
	for _, r := range rows {
		unknown := account{EmptyShare: -1}
		list = append(list, outcome{row: r, Heat: heat, Work: w, OurAccount: unknown,
			DPDKAccount: unknown})
	}
	run := func(s side, j job) (result, error) { return l.run(ctx, b, s, j) }
	if err := l.pairs(list, run); err != nil {
		return list, err
	}
	return list, l.accounts(list, run)
}

// pairs has both drivers run in turn, as many pairs a row as were asked for. Each
// round is a pair of every row, so that rows can be compared: the CPUs are in the same
// modes for all of them.
func (l *lab) pairs(list []outcome, run starter) error {
	for i := range l.options.Pairs {
		// A B, then B A: the second driver finds the machine warm.
		sides := [][]side{{ours, dpdk}, {dpdk, ours}}[i%2]
		for k := range list {
			o := &list[k]
			pair, err := l.settled(&o.tally, func() ([]result, error) {
				return l.turns(o, sides, run)
			})
			if err != nil {
				return err
			}
			for k, s := range sides {
				o.add(s, pair[k])
			}
		}
	}
	return nil
}

// turns has both drivers run a row once.
func (l *lab) turns(o *outcome, sides []side, run starter) ([]result, error) {
	var pair []result
	for _, s := range sides {
		r, err := l.steady(&o.tally, s, func() (result, error) {
			return run(s, o.job(s, o.Work, false))
		})
		if err != nil {
			return nil, err
		}
		pair = append(pair, r)
		l.say("heat %d, %s, %s, %d bytes, pair %d: %v %.2f Mpps, round trips %.0f ns",
			o.Heat, o.Work, o.path(s).Name, o.Size, len(o.OurMpps)+1, s, r.Mpps, r.Trips)
	}
	return pair, nil
}

// accounts has both drivers run every row once with their own records on.
func (l *lab) accounts(list []outcome, run starter) error {
	if !l.options.Records {
		return nil
	}
	for i := range list {
		o := &list[i]
		for _, s := range []side{ours, dpdk} {
			r, err := run(s, o.job(s, o.Work, true))
			if err != nil {
				return err
			}
			if s == ours {
				o.OurAccount = r.account
			} else {
				o.DPDKAccount = r.account
			}
		}
	}
	return nil
}

// best reports whether no row of the same heat, work and size shows a higher rate of
// either driver.
func (o *outcome) best(rows []outcome) bool {
	mine, theirs := shown(o.OurMpps), shown(o.DPDKMpps)
	for _, r := range rows {
		if r.Heat != o.Heat || r.Work != o.Work || r.Size != o.Size {
			continue
		}
		if shown(r.OurMpps) > mine || shown(r.DPDKMpps) > theirs {
			return false
		}
	}
	return !math.IsNaN(mine) && !math.IsNaN(theirs)
}

// shown is the rate that the table shows: the median, rounded.
func shown(mpps []float64) float64 { return math.Round(10*spreadOf(mpps).Median) / 10 }

// path is what a driver runs in this row.
func (r row) path(s side) path {
	if s == dpdk {
		return r.DPDK
	}
	return r.Ours
}

func (r row) job(s side, w work, record bool) job {
	return job{work: w, path: r.path(s), size: r.Size, record: record}
}

func (o *outcome) add(s side, r result) {
	o.Trips = append(o.Trips, r.Trips...)
	if s == ours {
		o.OurMpps = append(o.OurMpps, r.Mpps)
		return
	}
	o.DPDKMpps = append(o.DPDKMpps, r.Mpps)
}
