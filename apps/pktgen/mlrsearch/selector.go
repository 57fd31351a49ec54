package mlrsearch

import (
	"math"
	"slices"
	"time"
)

// A target is a goal on the way to the final one: less time at a load, bounds further
// apart. The final target is the goal itself.
type target struct {
	goal  Goal
	width int // in steps of the grid
}

// targets returns the way to a goal: trials of the initial duration first, and between
// that and the goal a target halfway, when the difference is large.
func targets(goal Goal, g grid) []target {
	width := g.width(goal)
	first := goal.initial()
	list := []target{{goal, width}}
	add := func(sum time.Duration) {
		t := goal
		t.DurationSum = sum
		t.FinalTrialDuration = min(goal.FinalTrialDuration, sum)
		width *= 2
		list = append([]target{{t, width}}, list...)
	}
	const large = 4
	if goal.DurationSum > large*first {
		add(time.Duration(math.Sqrt(float64(goal.DurationSum) * float64(first))))
	}
	if goal.DurationSum > first {
		add(first)
	}
	return list
}

// A selector chooses the trials for one goal.
type selector struct {
	goal    Goal
	grid    grid
	targets []target // the current one first; the last is the goal

	// hint are the bounds of the target before: not verified for this one.
	hint bounds
	// guess is the last load that was derived from a forwarding rate, and guesses
	// counts them.
	guess, guesses int
	// step is how far the next extension goes beyond a bound, and extended where
	// the last one went.
	step, extended int
}

func newSelector(goal Goal, g grid) *selector {
	s := &selector{goal: goal, grid: g, targets: targets(goal, g)}
	s.begin(bounds{lower: none, upper: none})
	return s
}

// begin starts the search for the current target.
func (s *selector) begin(hint bounds) {
	s.hint = hint
	s.guess, s.guesses = none, 0
	s.step, s.extended = s.targets[0].width, none
}

// next returns the load of the next trial for the goal and its duration; none if the
// trials so far suffice.
func (s *selector) next(d *database) (index int, duration time.Duration) {
	for {
		t := s.targets[0]
		b := d.bounds(t.goal)
		if !s.settled(b, t.width) {
			index = s.choose(d, b, t.width)
			return index, s.duration(d, index)
		}
		if len(s.targets) == 1 {
			return none, 0
		}
		s.targets = s.targets[1:]
		s.begin(b)
	}
}

// duration returns the duration of the next trial at a load. Where one lossy trial decides,
// a short one is worth trying first.
func (s *selector) duration(d *database, index int) time.Duration {
	if s.goal.ExceedRatio == 0 && len(d.trials[index]) == 0 {
		return min(s.goal.initial(), s.targets[0].goal.FinalTrialDuration)
	}
	return s.targets[0].goal.FinalTrialDuration
}

// settled reports whether nothing is left to search between the bounds.
func (s *selector) settled(b bounds, width int) bool {
	switch {
	case b.upper == 0:
		return true
	case b.upper == none:
		return b.lower == s.grid.last
	}
	return b.lower != none && b.upper-b.lower <= width
}

// interval returns the bounds of the current target and, in place of bounds that are
// missing or further out, those of the target before.
func (s *selector) interval(b bounds) (lower, upper int) {
	lower, upper = b.lower, b.upper
	if h := s.hint.lower; h > lower && (upper == none || h < upper) {
		lower = h
	}
	if h := s.hint.upper; h > lower && (upper == none || h < upper) {
		upper = h
	}
	return lower, upper
}

// choose returns the next load while the bounds are too far apart or missing. Bounds of
// the target before are verified last, since half of them need not be.
func (s *selector) choose(d *database, b bounds, width int) int {
	lower, upper := s.interval(b)
	switch {
	case lower == none && upper == none:
		return s.grid.last
	case lower == none && upper != b.upper:
		return upper
	case lower == none:
		return s.below(d, upper, width)
	case upper == none && lower != b.lower:
		return lower
	case upper == none:
		return s.extend(lower, +1)
	case upper-lower > width:
		return s.between(b, lower, upper)
	case lower != b.lower:
		return lower
	}
	return upper
}

// between splits an interval: in the middle, or nearer to a bound that the search has
// just moved to.
func (s *selector) between(b bounds, lower, upper int) int {
	middle := lower + (upper-lower)/2
	switch {
	case lower == b.lower && slices.Contains([]int{s.guess, s.extended, s.hint.upper}, lower):
		return min(middle, s.extend(lower, +1))
	case upper == b.upper && slices.Contains([]int{s.extended, s.hint.lower}, upper):
		return max(middle, s.extend(upper, -1))
	}
	return middle
}

// maxGuesses is how often a load is derived from what came back at larger ones.
const maxGuesses = 3

// below returns a load below an upper bound where no lower bound is known: at first a
// guess, then the bound less an ever larger step.
func (s *selector) below(d *database, upper, width int) int {
	if s.guess != none && s.guess < upper {
		return s.guess // until it is decided
	}
	if s.hint.lower != none || s.hint.upper != none || s.guesses == maxGuesses {
		return s.extend(upper, -1)
	}
	s.guesses++
	// Less by a part of the width: the true load is then inside the interval that
	// follows, and inside its halves as well.
	s.guess = s.grid.index(s.crossing(d, upper)) - width*3/8
	s.guess = max(0, min(s.guess, upper-width))
	return s.guess
}

// leastSlope is the smallest share of more load that is taken to be lost: next to noise, a
// smaller one would say little and lead far.
const leastSlope = 1. / 16

// crossing estimates the load at which the device loses just as much as the goal allows:
// on the line through what it lost at an upper bound and at the next larger load, or, if
// that says nothing, as if what exceeds the load in question were lost.
func (s *selector) crossing(d *database, upper int) float64 {
	load := s.grid.load(upper)
	surplus := d.lost(upper, load) - s.goal.LossRatio*load
	slope := 1 - s.goal.LossRatio
	if larger := d.above(upper); larger != none {
		distance := s.grid.load(larger) - load
		rise := d.lost(larger, load+distance) - s.goal.LossRatio*(load+distance) - surplus
		if rise > 0 {
			slope = min(slope, max(leastSlope, rise/distance))
		}
	}
	return load - surplus/slope
}

// extend returns a load beyond a bound, up or down. Each time that such a load becomes
// the next bound, the distance doubles.
func (s *selector) extend(bound, direction int) int {
	if bound == s.extended {
		s.step = min(2*s.step, s.grid.last)
	}
	s.extended = max(0, min(bound+direction*s.step, s.grid.last))
	return s.extended
}
