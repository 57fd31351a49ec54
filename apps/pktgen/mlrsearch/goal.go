package mlrsearch

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// What is wrong with a goal or a configuration.
var (
	ErrNoGoals       = errors.New("no search goal")
	ErrLoadRange     = errors.New("invalid load range")
	ErrLossRatio     = errors.New("invalid goal loss ratio")
	ErrExceedRatio   = errors.New("invalid goal exceed ratio")
	ErrTrialDuration = errors.New("invalid trial duration")
	ErrDurationSum   = errors.New("invalid goal duration sum")
	ErrWidth         = errors.New("invalid goal width")
	ErrSearchTime    = errors.New("invalid search time")
)

// A Goal is a search goal of RFC 9971: what a load must show to count as passed, and how
// close the bounds are to come.
type Goal struct {
	Name string // for reports; it decides nothing

	// LossRatio is the highest loss ratio of a low-loss trial: from 0, below 1.
	LossRatio float64
	// ExceedRatio is the share of a load's trials, in time, that may be high-loss
	// ones at a lower bound: from 0, below 1.
	ExceedRatio float64

	// FinalTrialDuration is the duration of a full-length trial.
	FinalTrialDuration time.Duration
	// DurationSum is the time of full-length trials at one load that is certain to
	// decide whether it passes.
	DurationSum time.Duration
	// InitialTrialDuration is the shortest duration that the search uses for this
	// goal; 0 means FinalTrialDuration.
	InitialTrialDuration time.Duration

	// Width is the distance of the bounds at which the search for this goal ends,
	// as a share of the upper bound: above 0, below 1.
	Width float64
}

// Validate returns what is wrong with the goal, or nil. errors.Is finds which attribute.
func (g Goal) Validate() error {
	err := g.validate()
	if err != nil && g.Name != "" {
		return fmt.Errorf("goal %s: %w", g.Name, err)
	}
	return err
}

func (g Goal) validate() error {
	switch {
	case !(g.LossRatio >= 0 && g.LossRatio < 1):
		return fmt.Errorf("%w: %v; it is from 0 to below 1", ErrLossRatio, g.LossRatio)
	case !(g.ExceedRatio >= 0 && g.ExceedRatio < 1):
		return fmt.Errorf("%w: %v; it is from 0 to below 1", ErrExceedRatio, g.ExceedRatio)
	case g.FinalTrialDuration <= 0:
		return fmt.Errorf("%w: final %v; it is above 0", ErrTrialDuration, g.FinalTrialDuration)
	case g.InitialTrialDuration < 0 || g.InitialTrialDuration > g.FinalTrialDuration:
		return fmt.Errorf("%w: initial %v; it is at most the final one, %v",
			ErrTrialDuration, g.InitialTrialDuration, g.FinalTrialDuration)
	case g.DurationSum <= 0:
		return fmt.Errorf("%w: %v; it is above 0", ErrDurationSum, g.DurationSum)
	case !(g.Width >= minWidth && g.Width < 1):
		return fmt.Errorf("%w: %v; it is from %g to below 1", ErrWidth, g.Width, minWidth)
	}
	return nil
}

// minWidth keeps the number of different loads of a search countable.
const minWidth = 1e-9

// initial returns the trial duration that the search for this goal begins with.
func (g Goal) initial() time.Duration {
	if g.InitialTrialDuration == 0 {
		return g.FinalTrialDuration
	}
	return g.InitialTrialDuration
}

// logWidth returns the width as the difference of the logarithms of two loads.
func (g Goal) logWidth() float64 {
	return -math.Log1p(-g.Width)
}
