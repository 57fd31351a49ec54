package main

import (
	"sync/atomic"
	"time"
)

// meter counts the cycles of a burst function. They are those of the clock that
// the processor counts at a fixed rate (TSC on amd64), read before and after
// each burst, as dpdk-testpmd's --record-core-cycles does.
type meter struct {
	burst      func() bool
	everyRound bool
	cycles     atomic.Uint64
}

// poll is burst, measured.
func (m *meter) poll() bool {
	start := cycles()
	busy := m.burst()
	if busy || m.everyRound {
		m.cycles.Add(cycles() - start)
	}
	return busy
}

// clock measures how fast the counter of cycles runs.
type clock struct {
	start  time.Time
	cycles uint64
}

func startClock() clock { return clock{start: time.Now(), cycles: cycles()} }

// mhz returns the rate of the counter since start, in millions a second.
func (c clock) mhz() float64 {
	n := cycles() - c.cycles
	return float64(n) / float64(time.Since(c.start).Microseconds())
}
