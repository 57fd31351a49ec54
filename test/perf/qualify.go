package main

import (
	"context"
	"errors"
	"slices"
)

// qualification is how the best paths for some work and size were found.
type qualification struct {
	Heat int  `json:"heat"`
	Work work `json:"work"`
	Size int  `json:"size"`
	// Ours and DPDK have the rates of each path, in each round, as multiples of
	// that of the reference in the same group of runs.
	Ours map[string][]float64 `json:"ours"`
	DPDK map[string][]float64 `json:"dpdk"`
	tally
}

func newQualification(heat int, w work, size int) qualification {
	return qualification{Heat: heat, Work: w, Size: size, Ours: map[string][]float64{},
		DPDK: map[string][]float64{}}
}

// reference is the path that all others are compared with, right before or after
// it: which run is the fastest of all rather tells when the CPUs were in their
// best mode.
func reference() path { return paths()[0] }

// qualify finds each driver's best path for some work with frames of a size:
// that with the highest median of its rates relative to the reference.
func (l *lab) qualify(ctx context.Context, heat int, w work,
	size int) (q qualification, err error) {
	q = newQualification(heat, w, size)
	b, err := l.startBackEnd(ctx, heat, w, size)
	if err != nil {
		return q, err
	}
	defer func() { err = errors.Join(err, b.stop()) }()
	err = l.compareAll(&q, func(s side, p path) (result, error) {
		return l.run(ctx, b, s, job{work: w, path: p, size: size, duration: l.options.Qualify})
	})
	return q, err
}

// runner has a side run a path.
type runner func(side, path) (result, error)

// compareAll compares all paths of both sides with the reference, several rounds.
func (l *lab) compareAll(q *qualification, run runner) error {
	for range l.options.Rounds {
		for _, s := range []side{ours, dpdk} {
			for group := range slices.Chunk(s.challengers(), 2) {
				if err := l.compare(q, s, group, run); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// challengers are the candidates that a side has, without the reference.
func (s side) challengers() []path {
	return slices.DeleteFunc(candidates(), func(p path) bool {
		return s.options(p) == "-" || p.Name == reference().Name
	})
}

// compare runs the reference between two paths, next to both, and adds their
// rates as multiples of its own.
func (l *lab) compare(q *qualification, s side, group []path, run runner) error {
	order := slices.Insert(slices.Clone(group), 1, reference())
	runs, err := l.settled(&q.tally, func() (runs []result, err error) {
		for _, p := range order {
			r, err := l.steady(&q.tally, s, func() (result, error) { return run(s, p) })
			if err != nil {
				return nil, err
			}
			runs = append(runs, r)
			l.say("heat %d, %s, %d bytes, qualifying: %v, %s: %.2f Mpps, round trips %.0f ns",
				q.Heat, q.Work, q.Size, s, p.Name, r.Mpps, r.Trips)
		}
		return runs, nil
	})
	if err != nil {
		return err
	}
	if runs[1].Mpps < standstill {
		l.say("%v, %s: nothing can be compared with it in this round", s, reference().Name)
		return nil
	}
	for i, p := range order {
		q.rates(s)[p.Name] = append(q.rates(s)[p.Name], runs[i].Mpps/runs[1].Mpps)
	}
	return nil
}

// rates are those of a side.
func (q *qualification) rates(s side) map[string][]float64 {
	if s == dpdk {
		return q.DPDK
	}
	return q.Ours
}

// best is the path of a side with the highest median, which is 1 for the
// reference.
func (q *qualification) best(s side) path {
	best, most := reference(), 1.0
	for _, p := range s.challengers() {
		if m := spreadOf(q.rates(s)[p.Name]).Median; m > most {
			best, most = p, m
		}
	}
	return best
}
