package pace

import (
	"math"
	"math/rand/v2"
)

// arrivals are the times of a Poisson process, in order, one ahead of what was asked for.
type arrivals struct {
	random rand.PCG
	mean   float64 // gap, in nanoseconds
	due    []int64 // times that were drawn and not dropped; at least one
	at     int64   // the last of them,
	rest   float64 // and the part of a nanosecond that it leaves out
}

// start draws the first time: like all gaps, that before the first packet is random.
func (a *arrivals) start(at int64, seed uint64) {
	a.random.Seed(seed, 0)
	a.at, a.rest = at, 0
	a.due = a.due[:0]
	a.draw()
}

// draw adds a time. The generator is called directly, not as a rand.Source.
func (a *arrivals) draw() {
	uniform := float64(a.random.Uint64()>>11+1) / (1 << 53) // above 0, up to 1
	gap := a.rest - a.mean*math.Log(uniform)
	whole := math.Floor(gap)
	a.at += int64(whole)
	a.rest = gap - whole
	a.due = append(a.due, a.at)
}

// first returns the first time that was not dropped.
func (a *arrivals) first() int64 { return a.due[0] }

// count returns how many times there are up to now, at most as many as a burst has.
func (a *arrivals) count(now int64) int {
	for a.due[len(a.due)-1] <= now && len(a.due) < cap(a.due) {
		a.draw()
	}
	n := len(a.due)
	for n > 0 && a.due[n-1] > now {
		n--
	}
	return min(n, cap(a.due)-1)
}

// drop drops the first n times.
func (a *arrivals) drop(n int) {
	a.due = a.due[:copy(a.due, a.due[n:])]
	if len(a.due) == 0 {
		a.draw()
	}
}
