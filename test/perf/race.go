package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// result is one run of one driver.
type result struct {
	Mpps        float64
	FirstPacket time.Duration // from the start of the program to the back end's first packet
	Resident    uint64        // bytes, hugepages not counted
	Collections int           // of garbage, while it was measured
	account
}

// run has a driver work at a back end and measures what the back end counts.
func (l *lab) run(ctx context.Context, b *backEnd, s side, j job) (r result, err error) {
	if err := b.early(); err != nil {
		return r, err
	}
	before, _, err := b.count()
	if err != nil {
		return r, err
	}
	j.socket = b.socket
	argv, env := l.command(s, j)
	p, err := startProcess(l.options.DriverCPU, env, argv...)
	if err != nil {
		return r, err
	}
	defer func() {
		if err != nil {
			p.kill()
			err = fmt.Errorf("%v, %s, %s: %w", s, j.work, j.path.Name, err)
		}
	}()
	err = p.waitFor(ctx, "the first packet", ready, time.Millisecond, func() bool {
		n, _, err := b.count()
		return err == nil && n > before
	})
	if err != nil {
		return r, errors.Join(err, b.early())
	}
	r.FirstPacket = time.Since(p.began)
	if s == dpdk && l.dpdkVersion == "" {
		if t, err := l.dial(driverPrefix); err == nil {
			_ = t.close() // only the greeting was of interest
		}
	}
	if err := l.measure(ctx, b, p, &r); err != nil {
		return r, err
	}
	if r.Resident, err = p.resident(); err != nil {
		return r, err
	}
	if err := p.stop(); err != nil {
		return r, err
	}
	r.account, err = s.account(p)
	return r, err
}

// steady is run, once more if the driver stood still: that a program sometimes
// stalls is worth a line, and says nothing of its speed.
func (l *lab) steady(ctx context.Context, b *backEnd, s side, j job) (r result, err error) {
	for range 3 {
		if r, err = l.run(ctx, b, s, j); err != nil || r.Mpps >= standstill {
			break
		}
		l.say("%s, %s: %v stood still at %.2f Mpps; once more", j.work, j.path.Name, s, r.Mpps)
	}
	return r, err
}

// standstill is below what any driver does that works, in millions a second.
const standstill = 0.1

// measure reads the meter twice, and what the programs did meanwhile.
func (l *lab) measure(ctx context.Context, b *backEnd, p *process, r *result) error {
	first, start, err := b.readAt(ctx, p, time.Now().Add(l.options.WarmUp))
	if err != nil {
		return err
	}
	collected := collections(p.output.String())
	last, end, err := b.readAt(ctx, p, start.Add(l.options.Duration))
	if err != nil {
		return err
	}
	r.Mpps = float64(last-first) / end.Sub(start).Seconds() / 1e6
	r.Collections = collections(p.output.String()) - collected
	return nil
}

// readAt waits until then and for the meter to say how things are since; that
// of a back end with screens does so when the next one comes. Neither program
// may end meanwhile.
func (b *backEnd) readAt(ctx context.Context, p *process, then time.Time) (packets uint64, at time.Time, err error) {
	if err := pause(ctx, time.Until(then)); err != nil {
		return 0, at, err
	}
	var failed error
	err = p.waitFor(ctx, "a look at the meter", ready, time.Millisecond, func() bool {
		packets, at, failed = b.count()
		return failed != nil || !at.Before(then)
	})
	return packets, at, errors.Join(err, failed, b.early())
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

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
	// Mpps and Ratios have one value for each pair of runs.
	OurMpps  []float64 `json:"our_mpps"`
	DPDKMpps []float64 `json:"dpdk_mpps"`
	// What the drivers say of themselves, from runs that are not in Mpps.
	OurAccount  account `json:"our_account"`
	DPDKAccount account `json:"dpdk_account"`
	Collections int     `json:"collections"` // of ours, in all runs
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
		for _, s := range [][]side{{ours, dpdk}, {dpdk, ours}}[i%2] {
			res, err := l.steady(ctx, b, s, r.job(s, w, false))
			if err != nil {
				return o, err
			}
			o.add(s, res)
			l.say("heat %d, %s, %s, %d bytes, pair %d: %v %.2f Mpps", heat, w, r.path(s).Name, r.Size, i+1, s, res.Mpps)
		}
	}
	for _, s := range []side{ours, dpdk} {
		if !l.options.Records {
			break
		}
		res, err := l.run(ctx, b, s, r.job(s, w, true))
		if err != nil {
			return o, err
		}
		if s == ours {
			o.OurAccount = res.account
		} else {
			o.DPDKAccount = res.account
		}
	}
	return o, nil
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
	if s == ours {
		o.OurMpps = append(o.OurMpps, r.Mpps)
		o.Collections += r.Collections
		return
	}
	o.DPDKMpps = append(o.DPDKMpps, r.Mpps)
}
