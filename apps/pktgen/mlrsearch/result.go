package mlrsearch

import (
	"fmt"
	"time"
)

// A Status says whether the result for a goal is regular, and if not, why.
type Status int

const (
	// Regular: both relevant bounds exist and are within the goal's width.
	Regular Status = iota
	// MinLoadFails: the smallest load is an upper bound, so there is no lower one.
	MinLoadFails
	// MaxLoadPasses: the largest load is a lower bound, so there is no upper one. The
	// lower bound is an effective one: a larger load might pass as well.
	MaxLoadPasses
	// SearchTimeExceeded: the time limit came first. The bounds are those so far.
	SearchTimeExceeded
	// Interrupted: the context was done first. The bounds are those so far.
	Interrupted
	// TrialFailed: a trial could not be measured. The bounds are those so far.
	TrialFailed
)

var statusNames = [...]string{
	Regular:            "regular",
	MinLoadFails:       "min load fails",
	MaxLoadPasses:      "max load passes",
	SearchTimeExceeded: "search time exceeded",
	Interrupted:        "interrupted",
	TrialFailed:        "trial failed",
}

// String returns the name of the status.
func (s Status) String() string {
	if s < 0 || int(s) >= len(statusNames) {
		return fmt.Sprintf("status %d", int(s))
	}
	return statusNames[s]
}

// MarshalText returns the name of the status.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// A Bound is a load and the trials that made it a bound. The zero Bound stands for none.
type Bound struct {
	Load   float64
	Trials []TrialResult // all at this load, in the order of measurement
}

// Exists reports whether there is a bound.
func (b Bound) Exists() bool { return b.Load > 0 }

// A GoalResult is what a search found for one goal.
type GoalResult struct {
	Goal   Goal
	Status Status

	// Lower is the relevant lower bound: the largest load below Upper that passes.
	// Without an upper bound it is the largest load that passes.
	Lower Bound
	// Upper is the relevant upper bound: the smallest load that fails.
	Upper Bound
	// ConditionalThroughput is that of the goal at Lower; 0 without a lower bound.
	ConditionalThroughput float64

	// LikelyLower and LikelyUpper are the interval that the search narrowed last,
	// which trials support, but not as many as the goal asks for; 0 stands for none.
	// In a regular result they are the bounds. The report of a search that was cut
	// short can show them, marked as such.
	LikelyLower, LikelyUpper float64

	// LossInversion reports that a load above Upper passes.
	LossInversion bool
	// Moved counts the times that a load which was decided lost its class, because
	// other goals needed more trials at it.
	Moved int
}

// Regular reports whether the result is a regular goal result.
func (r GoalResult) Regular() bool { return r.Status == Regular }

// A Result is the controller output of RFC 9971.
type Result struct {
	Goals   []GoalResult  // in the order of the configuration
	Trials  []TrialResult // all of them, in the order of measurement
	Elapsed time.Duration // of all trials
}

// Regular reports whether all goals have regular results.
func (r Result) Regular() bool {
	for _, g := range r.Goals {
		if !g.Regular() {
			return false
		}
	}
	return true
}
