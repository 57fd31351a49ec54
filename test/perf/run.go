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
	Measured    time.Duration // for so long the meter ran
	Collections int           // of garbage meanwhile
	Trips       []float64     // round trips between the CPUs before and after, ns
	account
}

// run has a driver work at a back end and measures what the back end counts,
// and the mode of the CPUs while no driver is in the way.
func (l *lab) run(ctx context.Context, b *backEnd, s side, j job) (result, error) {
	if err := b.early(); err != nil {
		return result{}, err
	}
	before, err := l.roundTrip()
	if err != nil {
		return result{}, err
	}
	r, err := l.drive(ctx, b, s, j)
	if err != nil {
		return r, err
	}
	after, err := l.roundTrip()
	r.Trips = []float64{before, after}
	return r, err
}

// drive is run without a look at the mode of the CPUs.
func (l *lab) drive(ctx context.Context, b *backEnd, s side, j job) (r result, err error) {
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
	if err := l.measure(ctx, b, p, j, &r); err != nil {
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

// measure reads the meter twice, and what the programs did meanwhile.
func (l *lab) measure(ctx context.Context, b *backEnd, p *process, j job, r *result) error {
	warmUp, duration := l.options.times(j)
	first, start, err := b.readAt(ctx, p, time.Now().Add(warmUp))
	if err != nil {
		return err
	}
	collected := collections(p.output.String())
	last, end, err := b.readAt(ctx, p, start.Add(duration))
	if err != nil {
		return err
	}
	r.Measured = end.Sub(start)
	r.Mpps = float64(last-first) / r.Measured.Seconds() / 1e6
	r.Collections = collections(p.output.String()) - collected
	return nil
}

// readAt waits until then and for the meter to say how things are since; that
// of a back end with screens does so when the next one comes. Neither program
// may end meanwhile.
func (b *backEnd) readAt(ctx context.Context, p *process, then time.Time) (packets uint64,
	at time.Time, err error) {
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
