package mlrsearch

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Search performs trials until the bounds of every goal are close enough, and returns
// them. It is the controller of RFC 9971.
//
// When ctx is done or a trial cannot be measured, Search returns an error and a result
// with the bounds so far. A result that ends at the time limit or at the smallest or the
// largest load is irregular, but not an error.
func Search(ctx context.Context, c Config, m Measurer) (Result, error) {
	if err := c.Validate(); err != nil {
		return Result{}, fmt.Errorf("search: %w", err)
	}
	s := newSearch(c, m)
	err := s.run(ctx)
	s.report(0, 0)
	return s.result(), err
}

// A search is one call of Search.
type search struct {
	config    Config
	measurer  Measurer
	grid      grid
	database  *database
	selectors []*selector

	trials  []TrialResult
	elapsed time.Duration
	classes []map[int]Class // of each goal, by load
	moved   []int           // of each goal
	stopped Status          // of goals that are not reached
	done    float64         // highest share of the work that was reported as done
}

func newSearch(c Config, m Measurer) *search {
	s := &search{
		config: c, measurer: m,
		grid:     newGrid(c.MinLoad, c.MaxLoad, c.Goals),
		database: newDatabase(),
		moved:    make([]int, len(c.Goals)),
	}
	for _, g := range c.Goals {
		s.selectors = append(s.selectors, newSelector(g, s.grid))
		s.classes = append(s.classes, map[int]Class{})
	}
	return s
}

func (s *search) run(ctx context.Context) error {
	if s.config.WarmUp > 0 && s.fits(s.config.WarmUp) {
		if err := s.measure(ctx, s.grid.last, s.config.WarmUp, true); err != nil {
			return err
		}
	}
	for {
		index, duration := s.next()
		if index == none {
			return nil
		}
		if !s.fits(duration) {
			s.stopped = SearchTimeExceeded
			return nil
		}
		if err := s.measure(ctx, index, duration, false); err != nil {
			return err
		}
	}
}

// fits reports whether a trial would end within the time limit.
func (s *search) fits(duration time.Duration) bool {
	return s.config.MaxSearchTime == 0 || s.elapsed+duration <= s.config.MaxSearchTime
}

// next returns the next trial: at the smallest load that a goal asks for, since a bound
// found there can invalidate those above, and the longest at that load.
func (s *search) next() (index int, duration time.Duration) {
	index = none
	for _, sel := range s.selectors {
		i, d := sel.next(s.database)
		if i != none && (index == none || i < index || i == index && d > duration) {
			index, duration = i, d
		}
	}
	return index, duration
}

// measure performs a trial and keeps its result.
func (s *search) measure(ctx context.Context, index int, duration time.Duration, warmUp bool) error {
	load := s.grid.load(index)
	if ctx.Err() != nil {
		return s.interrupted(ctx)
	}
	s.report(load, duration)
	output, err := s.measurer.Measure(ctx, load, duration)
	var t TrialResult
	if err == nil {
		t, err = newResult(load, duration, output, s.config.OfferedTolerance)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return s.interrupted(ctx)
	case err != nil:
		s.stopped = TrialFailed
		return fmt.Errorf("search: trial %d, load %g for %v: %w", len(s.trials)+1, load, duration, err)
	}
	t.WarmUp = warmUp
	s.trials = append(s.trials, t)
	s.elapsed += t.Elapsed
	if !warmUp {
		s.database.add(index, t)
		s.classify(index)
	}
	return nil
}

func (s *search) interrupted(ctx context.Context) error {
	s.stopped = Interrupted
	return fmt.Errorf("search: interrupted after %d trials: %w", len(s.trials), context.Cause(ctx))
}

// classify counts the goals for which a load lost the class that it had.
func (s *search) classify(index int) {
	for i, g := range s.config.Goals {
		class := g.Classify(s.database.trials[index])
		if before := s.classes[i][index]; before != Undecided && before != class {
			s.moved[i]++
		}
		s.classes[i][index] = class
	}
}

// result returns the bounds of all goals from the trials so far.
func (s *search) result() Result {
	r := Result{Trials: s.trials, Elapsed: s.elapsed}
	for i, g := range s.config.Goals {
		b := s.database.bounds(g)
		gr := GoalResult{
			Goal: g, Status: s.status(i, b), LossInversion: b.inverted, Moved: s.moved[i],
			Lower: s.bound(b.lower), Upper: s.bound(b.upper),
		}
		gr.LikelyLower, gr.LikelyUpper = s.interval(i)
		if gr.Lower.Exists() {
			gr.ConditionalThroughput = g.ConditionalThroughput(gr.Lower.Load, gr.Lower.Trials)
		}
		r.Goals = append(r.Goals, gr)
	}
	return r
}

func (s *search) status(goal int, b bounds) Status {
	switch {
	case b.upper == 0:
		return MinLoadFails
	case b.upper == none && b.lower == s.grid.last:
		return MaxLoadPasses
	case s.selectors[goal].settled(b, s.grid.width(s.config.Goals[goal])):
		return Regular
	}
	return s.stopped
}

func (s *search) bound(index int) Bound {
	if index == none {
		return Bound{}
	}
	return Bound{Load: s.grid.load(index), Trials: slices.Clone(s.database.trials[index])}
}
