package mlrsearch

import (
	"math"
	"time"
)

// Progress says how far a search is.
type Progress struct {
	// Load and Duration are the trial that begins; both are 0 when the search has
	// ended.
	Load     float64
	Duration time.Duration
	// Trials and Elapsed count the trials that have ended.
	Trials  int
	Elapsed time.Duration
	// Last is the trial that ended last; the zero TrialResult before the first.
	Last TrialResult
	// Remaining is an estimate of the time left, and Done the share of the search
	// that is behind, from 0 to 1; Done never decreases.
	Remaining time.Duration
	Done      float64
	Goals     []GoalProgress // in the order of the configuration
}

// GoalProgress is how far a search is with one goal.
type GoalProgress struct {
	Name string
	// Lower and Upper are the interval that the search narrows, verified as far as
	// the search has come; 0 stands for none. When the goal is reached they are its
	// bounds.
	Lower, Upper float64
	// ConditionalThroughput is that of the goal at its relevant lower bound so far; 0
	// without one.
	ConditionalThroughput float64
	// Reached reports that the goal needs no trials at present.
	Reached bool
}

// report calls the progress function. Load and duration are 0 at the end.
func (s *search) report(load float64, duration time.Duration) {
	if s.config.Progress == nil {
		return
	}
	p := Progress{Load: load, Duration: duration, Trials: len(s.trials), Elapsed: s.elapsed}
	if len(s.trials) > 0 {
		p.Last = s.trials[len(s.trials)-1]
	}
	for i, g := range s.config.Goals {
		gp := GoalProgress{Name: g.Name}
		gp.Lower, gp.Upper = s.interval(i)
		b := s.database.bounds(g)
		gp.Reached = s.selectors[i].settled(b, s.grid.width(g))
		if b.lower != none {
			gp.ConditionalThroughput = g.ConditionalThroughput(s.grid.load(b.lower), s.database.trials[b.lower])
		}
		p.Goals = append(p.Goals, gp)
	}
	p.Remaining = s.remaining()
	if load == 0 && s.stopped == Regular {
		p.Remaining = 0
	}
	if total := s.elapsed + p.Remaining; total > 0 {
		s.done = max(s.done, float64(s.elapsed)/float64(total))
	}
	p.Done = s.done
	s.config.Progress(p)
}

// interval returns the interval that the search narrows for a goal; 0 stands for none.
func (s *search) interval(goal int) (lower, upper float64) {
	sel := s.selectors[goal]
	b := s.database.bounds(sel.targets[0].goal)
	l, u := b.lower, b.upper
	if !sel.settled(b, sel.targets[0].width) {
		l, u = sel.interval(b)
	}
	if l != none {
		lower = s.grid.load(l)
	}
	if u != none {
		upper = s.grid.load(u)
	}
	return lower, upper
}

// remaining estimates the time that the search still takes, waits included. Goals share
// trials, so that the sum over them is rather too high than too low.
func (s *search) remaining() time.Duration {
	var left, measured time.Duration
	for _, sel := range s.selectors {
		left += sel.remaining(s.database)
	}
	for _, t := range s.trials {
		measured += t.Duration
	}
	if measured > 0 {
		left = time.Duration(float64(left) * float64(s.elapsed) / float64(measured))
	}
	if limit := s.config.MaxSearchTime; limit > 0 {
		left = min(left, limit-s.elapsed)
	}
	return max(0, left)
}

// remaining estimates the trial time that the goal still needs: for each target the loads
// that halve the interval to its width, and each load with what decides it.
func (s *selector) remaining(d *database) time.Duration {
	var left time.Duration
	for i, t := range s.targets {
		loads := 2 // a middle and one of the bounds around it
		if i == 0 {
			b := d.bounds(t.goal)
			if s.settled(b, t.width) {
				continue
			}
			loads = s.loadsLeft(b, t.width)
		}
		left += time.Duration(loads) * t.goal.decides()
	}
	return left
}

// loadsLeft estimates how many loads the current target still needs.
func (s *selector) loadsLeft(b bounds, width int) int {
	missing := 0
	if b.lower == none {
		missing++
	}
	if b.upper == none {
		missing++
	}
	lower, upper := s.interval(b)
	if lower == none || upper == none {
		return missing + 1 // the first guesses are good ones as a rule
	}
	halvings := int(math.Ceil(math.Log2(max(1, float64(upper-lower)/float64(width)))))
	return max(1, missing, halvings)
}

// decides returns the time of full-length trials that decides a load whose trials are
// all alike: the mean of one that passes and one that fails.
func (g Goal) decides() time.Duration {
	trial := float64(g.FinalTrialDuration)
	sum := max(float64(g.DurationSum), trial)
	passes := math.Ceil(sum*(1-g.ExceedRatio)/trial) * trial
	fails := (math.Floor(sum*g.ExceedRatio/trial) + 1) * trial
	return time.Duration((passes + fails) / 2)
}
