package lcore

import (
	"context"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/stat"
)

// DefaultIdle is how long polls of an adaptive core find nothing before it sleeps.
const DefaultIdle = 100 * time.Microsecond

const (
	// checkedPolls is how many polls that find nothing share one look at the time.
	checkedPolls = 16
	// maxIdleFactor is how far the idle time is stretched.
	maxIdleFactor = 16
)

// Sleep says how a core sleeps when it has nothing to do: see [Group.StartAdaptive].
type Sleep struct {
	// Idle is how long polls have to find nothing before the core sleeps; 0 means
	// [DefaultIdle].
	Idle time.Duration
	// Wait sleeps until there may be something to do, or ctx ends, as it does with
	// [Core.Stop]. It is called in the polling goroutine, and finishes what must not
	// wait for the next poll first. After an error the core polls without sleeping.
	Wait func(ctx context.Context) error
}

// StartAdaptive is [Group.Start] for a core that polls under load and sleeps when there is
// nothing to do. It polls on for s.Idle after each packet, and for up to 16 times as long
// while its sleeps are shorter than that, because it then sleeps only to be woken.
func (g *Group) StartAdaptive(
	cpu int, poll func() (busy bool), s Sleep, abandon ...func(cause error) bool,
) (*Core, error) {
	if s.Idle <= 0 {
		s.Idle = DefaultIdle
	}
	c := g.newCore(cpu, poll, abandon)
	c.sleeper = &sleeper{Sleep: s, idle: s.Idle}
	c.sleeper.ctx, c.sleeper.wake = context.WithCancel(context.Background())
	return g.launch(c)
}

// Asleep returns how many times the core has slept and for how long together, both 0 for a
// core that does not sleep. A sleep that goes on is not counted yet.
func (c *Core) Asleep() (sleeps uint64, total time.Duration) {
	if c.sleeper == nil {
		return 0, 0
	}
	return c.sleeper.sleeps.Load(), time.Duration(c.sleeper.asleep.Load())
}

// sleeper has an adaptive core sleep. What is not a counter belongs to the polling goroutine,
// and ctx ends with wake.
type sleeper struct {
	Sleep
	ctx  context.Context
	wake context.CancelFunc

	idle   time.Duration // for which polls find nothing, before the next sleep
	polls  int           // in a row that found nothing
	since  time.Time     // of the first of them
	failed bool          // Wait has returned an error

	sleeps, asleep stat.Counter
}

// foundNothing is called after a poll that found nothing, and sleeps when there were enough.
func (s *sleeper) foundNothing() {
	if s.polls++; s.polls == 1 {
		s.since = time.Now()
	}
	if s.polls%checkedPolls != 0 || s.failed {
		return
	}
	began := time.Now()
	if began.Sub(s.since) < s.idle {
		return
	}
	s.failed = s.Wait(s.ctx) != nil
	slept := time.Since(began)
	s.sleeps.Add(1)
	s.asleep.Add(uint64(slept))
	s.polls = 0
	if slept < s.idle {
		s.idle = min(2*s.idle, maxIdleFactor*s.Idle)
	} else {
		s.idle = max(s.idle/2, s.Idle)
	}
}
