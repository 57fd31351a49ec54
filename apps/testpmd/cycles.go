package main

import (
	"sync/atomic"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
)

// meter counts the cycles of a burst function. They are those of [lcore.Cycles], read
// before and after each burst, as dpdk-testpmd's --record-core-cycles does.
type meter struct {
	burst      func() bool
	everyRound bool
	cycles     atomic.Uint64
}

// poll is burst, measured.
func (m *meter) poll() bool {
	start := lcore.Cycles()
	busy := m.burst()
	if busy || m.everyRound {
		m.cycles.Add(lcore.Cycles() - start)
	}
	return busy
}

// clock measures how fast the counter of cycles runs.
type clock struct {
	start  time.Time
	cycles uint64
}

func startClock() clock { return clock{start: time.Now(), cycles: lcore.Cycles()} }

// mhz returns the rate of the counter since start, in millions a second.
func (c clock) mhz() float64 {
	n := lcore.Cycles() - c.cycles
	return float64(n) / float64(time.Since(c.start).Microseconds())
}
