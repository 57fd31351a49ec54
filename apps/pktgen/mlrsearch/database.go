package mlrsearch

import "slices"

// A database holds the trials that count, by load.
type database struct {
	loads  []int // grid indexes with trials, in increasing order
	trials map[int][]TrialResult
}

func newDatabase() *database {
	return &database{trials: map[int][]TrialResult{}}
}

func (d *database) add(index int, t TrialResult) {
	if at, found := slices.BinarySearch(d.loads, index); !found {
		d.loads = slices.Insert(d.loads, at, index)
	}
	d.trials[index] = append(d.trials[index], t)
}

// bounds are the relevant bounds of a goal.
type bounds struct {
	lower, upper int // grid indexes, or none
	// inverted reports that a load above the upper bound is a lower bound.
	inverted bool
}

// bounds returns the smallest upper bound of a goal and the largest lower bound below it.
// Where there is no upper bound it returns the largest lower bound: RFC 9971 calls it
// effective only.
func (d *database) bounds(g Goal) bounds {
	b := bounds{lower: none, upper: none}
	for _, index := range d.loads {
		switch g.Classify(d.trials[index]) {
		case UpperBound:
			if b.upper == none {
				b.upper = index
			}
		case LowerBound:
			if b.upper == none {
				b.lower = index
			} else {
				b.inverted = true
			}
		}
	}
	return b
}

// lost returns how much of a load was lost in the best trial at it.
func (d *database) lost(index int, load float64) float64 {
	ratio := 1.0
	for _, t := range d.trials[index] {
		ratio = min(ratio, t.LossRatio)
	}
	return ratio * load
}

// above returns the next larger load with trials, or none.
func (d *database) above(index int) int {
	at, found := slices.BinarySearch(d.loads, index)
	if found {
		at++
	}
	if at == len(d.loads) {
		return none
	}
	return d.loads[at]
}
