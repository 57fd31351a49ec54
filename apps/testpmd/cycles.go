package main

import (
	"fmt"
	"time"

	"sync/atomic"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/report"
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

// clock finds out how fast the counter of cycles runs.
type clock struct {
	start  time.Time
	cycles uint64
}

func startClock() clock { return clock{time.Now(), cycles()} }

// mhz is the rate of the counter since start, in millions a second.
func (c clock) mhz() float64 {
	n := cycles() - c.cycles
	return float64(n) / float64(time.Since(c.start).Microseconds())
}

// coreCycles sums up what the meters counted for so many packets.
func coreCycles(meters []*meter, packets uint64, mhz float64) *report.Cycles {
	c := &report.Cycles{Clock: clockName, MHz: mhz, Packets: packets}
	for _, m := range meters {
		c.Busy += m.cycles.Load()
	}
	if packets > 0 {
		c.PerPacket = float64(c.Busy) / float64(packets)
	}
	return c
}

// cyclesLine says it in testpmd's words.
func cyclesLine(c *report.Cycles, mode string) string {
	return fmt.Sprintf("\n  CPU cycles/packet=%.2f (total cycles=%d / total %s packets=%d) at %.0f MHz Clock\n", c.PerPacket, c.Busy, mode, c.Packets, c.MHz)
}
