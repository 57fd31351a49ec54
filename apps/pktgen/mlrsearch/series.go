package mlrsearch

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrTrials is returned for an invalid number of trials or repetitions.
var ErrTrials = errors.New("invalid number of trials")

// A series is a plan of trials whose number is known, at most.
type series struct {
	name      string
	measurer  Measurer
	tolerance time.Duration
	progress  func(Progress)
	planned   time.Duration // trial time of the whole plan

	trials            []TrialResult
	elapsed, measured time.Duration
}

func newSeries(name string, m Measurer, tolerance time.Duration, progress func(Progress)) *series {
	return &series{name: name, measurer: m, tolerance: tolerance, progress: progress}
}

// measure performs the next trial.
func (s *series) measure(ctx context.Context, load float64, duration time.Duration) (TrialResult, error) {
	if ctx.Err() != nil {
		return TrialResult{}, s.interrupted(ctx)
	}
	s.report(load, duration)
	output, err := s.measurer.Measure(ctx, load, duration)
	var t TrialResult
	if err == nil {
		t, err = newResult(load, duration, output, s.tolerance)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return TrialResult{}, s.interrupted(ctx)
	case err != nil:
		return TrialResult{}, fmt.Errorf("%s: trial %d, load %g for %v: %w",
			s.name, len(s.trials)+1, load, duration, err)
	}
	s.trials = append(s.trials, t)
	s.elapsed += t.Elapsed
	s.measured += duration
	return t, nil
}

func (s *series) interrupted(ctx context.Context) error {
	return fmt.Errorf("%s: interrupted after %d trials: %w", s.name, len(s.trials), context.Cause(ctx))
}

// report calls the progress function. Load and duration are 0 at the end.
func (s *series) report(load float64, duration time.Duration) {
	if s.progress == nil {
		return
	}
	p := Progress{Load: load, Duration: duration, Trials: len(s.trials), Elapsed: s.elapsed}
	if len(s.trials) > 0 {
		p.Last = s.trials[len(s.trials)-1]
	}
	p.Remaining = s.planned - s.measured
	if s.measured > 0 {
		p.Remaining = time.Duration(float64(p.Remaining) * float64(s.elapsed) / float64(s.measured))
	}
	if load == 0 {
		p.Remaining = 0
	}
	if total := s.elapsed + p.Remaining; total > 0 {
		p.Done = float64(s.elapsed) / float64(total)
	}
	s.progress(p)
}
