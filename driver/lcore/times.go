package lcore

import (
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/stat"
)

const (
	// exactPolls is how many polls in a row that found work are timed one by one. They
	// are what a core with little to do has, and it has the time.
	exactPolls = 8
	// timedPolls is how many polls after these share one reading of the clock.
	timedPolls = 64
)

// times is how long a core has polled. Between start and end, which the goroutine that
// starts the core or waits for its end may read, only busy changes.
type times struct {
	start, end instant
	busy       stat.Counter // cycles
}

// instant is a moment on both clocks.
type instant struct {
	time   time.Time
	cycles uint64
}

func now() instant { return instant{time.Now(), Cycles()} }

// Times returns for how long the core has been in polls that found work, and for how
// long it has polled at all. The share of the two is how busy it is. A streak of such
// polls is counted as it goes on, every few polls.
func (c *Core) Times() (busy, total time.Duration) {
	end := now()
	select {
	case <-c.done:
		end = c.times.end
	default:
	}
	start := c.times.start
	total = end.time.Sub(start.time)
	cycles := float64(end.cycles - start.cycles)
	if cycles <= 0 {
		return 0, total
	}
	share := float64(c.times.busy.Load()) / cycles
	return min(time.Duration(share*float64(total)), total), total
}

// loop polls until the core is stopped. The clock is read before a poll only while there
// is nothing to do: a core at its limit has none of these.
func (c *Core) loop() {
	for !c.stop.Load() {
		start := Cycles()
		if c.poll() {
			c.busy.Add(1)
			c.streak(start)
			if c.sleeper != nil {
				c.sleeper.polls = 0
			}
			continue
		}
		c.idle.Add(1)
		if c.sleeper != nil {
			c.sleeper.foundNothing()
		}
	}
}

// streak polls until a poll finds nothing. The first poll of the streak began at start
// and has returned.
func (c *Core) streak(start uint64) {
	for n := 1; ; n++ {
		if n <= exactPolls || n%timedPolls == 0 {
			now := Cycles()
			c.times.busy.Add(now - start)
			start = now
		}
		if c.stop.Load() {
			break
		}
		if !c.poll() {
			c.idle.Add(1)
			if n <= exactPolls || n%timedPolls == 0 {
				return // all that was busy is counted
			}
			break
		}
		c.busy.Add(1)
	}
	c.times.busy.Add(Cycles() - start)
}
