package mlrsearch

import "math"

// cells is how many steps of the grid the narrowest goal is wide.
const cells = 8

// A grid is the finite set of loads that a search uses. They are spaced evenly on a
// logarithmic scale from the smallest load to the largest, so that equal distances are
// equal relative widths, goals meet at the same loads, and every search ends.
type grid struct {
	low, high float64
	step      float64 // between neighbours, as a difference of logarithms
	last      int     // index of high
}

// none is the index of no load.
const none = -1

func newGrid(low, high float64, goals []Goal) grid {
	narrowest := math.Inf(1)
	for _, g := range goals {
		narrowest = min(narrowest, g.logWidth())
	}
	span := math.Log(high / low)
	last := max(1, int(math.Ceil(span/(narrowest/cells))))
	return grid{low: low, high: high, step: span / float64(last), last: last}
}

// load returns the load with the given index.
func (g grid) load(index int) float64 {
	switch {
	case index <= 0:
		return g.low
	case index >= g.last:
		return g.high
	}
	return g.low * math.Exp(float64(index)*g.step)
}

// index returns the index of the largest load that is not above the given one.
func (g grid) index(load float64) int {
	if !(load > g.low) {
		return 0
	}
	const rounding = 1e-6 // of a step
	return min(g.last, int(math.Floor(math.Log(load/g.low)/g.step+rounding)))
}

// width returns how many steps a goal is wide.
func (g grid) width(goal Goal) int {
	const rounding = 1e-6
	return max(1, int(math.Floor(goal.logWidth()/g.step+rounding)))
}
