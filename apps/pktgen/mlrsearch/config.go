package mlrsearch

import (
	"fmt"
	"math"
	"time"
)

// A Config is the controller input of RFC 9971.
type Config struct {
	// Goals are searched for together: every trial counts for all of them.
	Goals []Goal

	// MinLoad and MaxLoad are the smallest and the largest load of a trial. A trial
	// at MinLoad must send at least one frame, however short it is.
	MinLoad, MaxLoad float64

	// WarmUp is the duration of a trial at MaxLoad before the search, whose result
	// is not used; 0 means none.
	WarmUp time.Duration

	// MaxSearchTime ends a search: no trial begins that would end later. Goals that
	// are not reached have irregular results then. The time is that of the trials;
	// 0 means no limit.
	MaxSearchTime time.Duration

	// OfferedTolerance is how much traffic a trial may leave unsent, as a time at
	// the intended load and at least a frame; more counts as lost. 0 means
	// DefaultOfferedTolerance, a negative value none at all.
	OfferedTolerance time.Duration

	// Progress is called before each trial and at the end, from the goroutine that
	// called Search; nil means no calls.
	Progress func(Progress)
}

// Validate returns what is wrong with the configuration, or nil. errors.Is finds which
// part.
func (c Config) Validate() error {
	switch {
	case len(c.Goals) == 0:
		return ErrNoGoals
	case !(c.MinLoad > 0 && c.MinLoad < c.MaxLoad) || math.IsInf(c.MaxLoad, 0):
		return fmt.Errorf("%w: from %v to %v; both are finite and above 0, the first is smaller",
			ErrLoadRange, c.MinLoad, c.MaxLoad)
	case c.WarmUp < 0:
		return fmt.Errorf("%w: warm-up %v; it is not negative", ErrTrialDuration, c.WarmUp)
	case c.MaxSearchTime < 0:
		return fmt.Errorf("%w: %v; it is not negative", ErrSearchTime, c.MaxSearchTime)
	}
	for _, g := range c.Goals {
		if err := g.Validate(); err != nil {
			return err
		}
	}
	return nil
}
