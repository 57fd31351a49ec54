package main

import (
	"context"
	"errors"
)

// qualify finds each driver's best path for some work at 64 bytes: all that it
// has run in turn, several rounds, and the path with the fastest run wins. What
// else happens on the machine only ever makes a run slower.
func (l *lab) qualify(ctx context.Context, heat int, w work) (best map[side]path, err error) {
	b, err := l.startBackEnd(ctx, heat, w, 64)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.stop()) }()
	type entry struct {
		side side
		path string
	}
	measured := map[entry][]float64{}
	for range l.options.Rounds {
		for _, p := range candidates() {
			for _, s := range []side{ours, dpdk} {
				if s.options(p) == "-" {
					continue
				}
				res, err := l.run(ctx, b, s, job{work: w, path: p, size: 64})
				if err != nil {
					return nil, err
				}
				e := entry{s, p.Name}
				measured[e] = append(measured[e], res.Mpps)
				l.say("heat %d, %s, qualifying: %v, %s: %.2f Mpps", heat, w, s, p.Name, res.Mpps)
			}
		}
	}
	best = map[side]path{}
	most := map[side]float64{}
	for _, p := range candidates() {
		for _, s := range []side{ours, dpdk} {
			if m := spreadOf(measured[entry{s, p.Name}]).Max; m > most[s] {
				most[s], best[s] = m, p
			}
		}
	}
	return best, nil
}
