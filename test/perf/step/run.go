package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/test/perf/internal/hugepool"
)

// hugePages of 2 MiB are for DPDK.
const hugePages = 80

// cell is where a measurement is in the results.
type cell struct {
	row, frame int // indices
	key
}

// round has, of each cell, the cycles of both sides in each pair.
type round map[cell][2][]float64

// results is everything that was measured.
type results struct {
	rounds  []round
	paths   map[int][2]string // of each row
	mhz     float64
	packets [2]uint64
}

func (b *bench) run(ctx context.Context, out io.Writer) (err error) {
	if b.dir, err = os.MkdirTemp("", "step-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if err := b.build(ctx); err != nil {
		return err
	}
	pages, err := hugepool.Reserve(hugePages, filepath.Join(b.dir, "huge"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pages.Release()) }()
	b.huge = pages.Dir
	// Others use the machine too, and a run that loses its CPU is of no use.
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, -10) // the runs inherit it; it needs root
	res := results{paths: map[int][2]string{}}
	for n := range b.rounds {
		res.rounds = append(res.rounds, round{})
		for pair := range b.pairs {
			if b.progress {
				fmt.Fprintf(os.Stderr, "round %d of %d, pair %d of %d\n", n+1, b.rounds, pair+1, b.pairs)
			}
			if err := b.pair(ctx, &res, n); err != nil {
				return err
			}
		}
	}
	b.print(out, &res)
	return nil
}

// pair measures each row with one side right after the other.
func (b *bench) pair(ctx context.Context, res *results, n int) error {
	for i, r := range b.rows {
		for k, frame := range b.frames {
			for side := range b.programs {
				m, err := b.measure(ctx, side, r, frame)
				if err != nil {
					return err
				}
				res.add(n, i, k, side, m)
			}
		}
	}
	return nil
}

func (r *results) add(n, row, frame, side int, m measured) {
	paths := r.paths[row]
	paths[side] = m.path
	r.paths[row] = paths
	r.packets[side] += m.packets
	if m.mhz > 0 {
		r.mhz = m.mhz
	}
	for k, cycles := range m.cycles {
		at := cell{row, frame, k}
		both := r.rounds[n][at]
		both[side] = append(both[side], cycles)
		r.rounds[n][at] = both
	}
}

// ratio returns the median of the ratios of the pairs of a round, 0 if a side has none.
func (r round) ratio(at cell) float64 {
	var ratios []float64
	both := r[at]
	for i := range min(len(both[0]), len(both[1])) {
		ratios = append(ratios, both[1][i]/both[0][i])
	}
	return median(ratios)
}

// ratio is the median of the rounds' ratios.
func (r *results) ratio(at cell) float64 {
	var ratios []float64
	for _, n := range r.rounds {
		ratios = append(ratios, n.ratio(at))
	}
	return median(ratios)
}

// cycles is the median of all runs of a side, 0 if there are none.
func (r *results) cycles(at cell, side int) float64 {
	var all []float64
	for _, n := range r.rounds {
		all = append(all, n[at][side]...)
	}
	return median(all)
}

// disagreement returns by how much the largest ratio of the rounds is above the least.
func (r *results) disagreement(at cell) float64 {
	var ratios []float64
	for _, n := range r.rounds {
		if ratio := n.ratio(at); ratio > 0 {
			ratios = append(ratios, ratio)
		}
	}
	if len(ratios) == 0 {
		return 0
	}
	return slices.Max(ratios)/slices.Min(ratios) - 1
}

// median is 0 of no values.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	half := len(s) / 2
	if len(s)%2 == 0 {
		return (s[half-1] + s[half]) / 2
	}
	return s[half]
}
