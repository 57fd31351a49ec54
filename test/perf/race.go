package main

import (
	"context"
	"errors"
)

// row is one line of the table to come.
type row struct {
	Best bool `json:"best"` // each driver's best path, and not the same
	Size int  `json:"size"`
	Ours path `json:"ours"`
	DPDK path `json:"dpdk"`
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

// race has both drivers run in turn, as many pairs as were asked for, and then
// once each with their own records on.
func (l *lab) race(ctx context.Context, heat int, w work, r row) (o outcome, err error) {
	unknown := account{EmptyShare: -1}
	o = outcome{row: r, Heat: heat, Work: w, OurAccount: unknown, DPDKAccount: unknown}
	b, err := l.startBackEnd(ctx, heat, w, r.Size)
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, b.stop()) }()
	for i := range l.options.Pairs {
		// A B, then B A: whoever is second finds the machine warm.
		sides := [][]side{{ours, dpdk}, {dpdk, ours}}[i%2]
		pair, err := l.settled(&o.tally, func() ([]result, error) { return l.turns(ctx, b, &o, sides) })
		if err != nil {
			return o, err
		}
		for k, s := range sides {
			o.add(s, pair[k])
		}
	}
	err = l.accounts(ctx, b, &o)
	return o, err
}

// turns has both drivers run once.
func (l *lab) turns(ctx context.Context, b *backEnd, o *outcome, sides []side) ([]result, error) {
	var pair []result
	for _, s := range sides {
		run := func() (result, error) { return l.run(ctx, b, s, o.job(s, o.Work, false)) }
		r, err := l.steady(&o.tally, s, run)
		if err != nil {
			return nil, err
		}
		pair = append(pair, r)
		l.say("heat %d, %s, %s, %d bytes, pair %d: %v %.2f Mpps, round trips %.0f ns",
			o.Heat, o.Work, o.path(s).Name, o.Size, len(o.OurMpps)+1, s, r.Mpps, r.Trips)
	}
	return pair, nil
}

// accounts has both drivers run once with their own records on.
func (l *lab) accounts(ctx context.Context, b *backEnd, o *outcome) error {
	if !l.options.Records {
		return nil
	}
	for _, s := range []side{ours, dpdk} {
		r, err := l.run(ctx, b, s, o.job(s, o.Work, true))
		if err != nil {
			return err
		}
		if s == ours {
			o.OurAccount = r.account
		} else {
			o.DPDKAccount = r.account
		}
	}
	return nil
}

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
