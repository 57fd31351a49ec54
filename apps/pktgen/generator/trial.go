package generator

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/pace"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/result"
)

// Defaults of a Run.
const (
	DefaultTolerance = 0.005
	DefaultSilence   = 100 * time.Millisecond
	DefaultSettle    = 2 * time.Second
)

const (
	// startDelay is how long after it is set up a trial starts, so that all pollers know
	// of it by then.
	startDelay = time.Millisecond
	stuckAfter = 5 * time.Second
	// settleStep is how often what was received is looked at after a trial.
	settleStep = time.Millisecond
	// longStep is how much of the time between two looks counts as silent at most, if it took
	// the pollers as long to make a round.
	longStep = 10 * settleStep
)

// Run says how a trial is run. The zero value runs until its context ends.
type Run struct {
	// Duration is for how long packets are sent; 0 until the context ends.
	Duration time.Duration
	// Scale is what the rates of all streams that are not Constant are multiplied with; 0 means 1.
	Scale float64
	// Interval is how often the rates are noted in the course of the trial; 0 for never.
	Interval time.Duration
	// OnInterval, if not nil, is called with each interval when it has been noted, and may
	// add to it what others know.
	OnInterval func(*result.Interval)
	// Tolerance is the part of the intended packets that may be missing in a trial that does not
	// fail; 0 means DefaultTolerance, 1 that none fails.
	Tolerance float64
	// After sending, the trial waits until as many packets as were sent have been received,
	// nothing came for Silence while all pollers were polled, or Settle is over; 0 means
	// DefaultSilence and DefaultSettle.
	Silence, Settle time.Duration
	// Received returns how many packets of the streams have been received, ever. nil counts
	// all packets of the ports.
	Received func() uint64
}

// trial is a Run under way.
type trial struct {
	start, end int64
	overrun    int64         // for how long after the end what was due before may be sent
	cut        atomic.Int64  // when it was cut short
	scale      atomic.Uint64 // of the rates, as bits of a float64
	pacers     map[*sender][]*pace.Pacer

	left atomic.Int32  // senders that have not ended it
	over chan struct{} // closed by the last of them
}

// leave says that one more sender has ended.
func (t *trial) leave() {
	if t.left.Add(-1) == 0 {
		close(t.over)
	}
}

// rate returns the rate of a stream at a scale.
func (s *Stream) rate(scale float64) float64 {
	if s.Constant {
		return s.PPS
	}
	return s.PPS * scale
}

// pacer returns a pacer for a stream at a rate.
func (c *Config) pacer(s *Stream, pps float64) (*pace.Pacer, error) {
	return pace.New(pace.Config{PPS: pps, Pattern: s.Pattern, Burst: c.Burst, CatchUp: c.CatchUp})
}

// Trial runs a trial: all streams start at once, are sent for the duration, and the last
// packets are waited for. The pollers must be polled meanwhile, and until the next
// trial or the end.
//
// The counts are those of the ports, in which lost packets and packets of others are only
// known as a sum: a Receiver may know more. With an error that is a [*ShortError], and with
// that of a context that ended before the duration was over, the result is complete as well.
func (g *Generator) Trial(ctx context.Context, r Run) (*result.Trial, error) {
	r.complete()
	t, err := g.newTrial(&r)
	if err != nil {
		return nil, err
	}
	c := g.startCount(t, &r)
	g.current.Store(t)
	cut := g.watch(ctx, t, &r, c)
	g.current.CompareAndSwap(t, nil)
	if n := t.left.Load(); n > 0 {
		return nil, &StuckError{Queues: int(n)}
	}
	if r.Interval > 0 {
		c.noteEnd(r.Interval / 10)
	}
	c.settle(&r)
	return c.result(ctx, t, &r, cut)
}

func (r *Run) complete() {
	if r.Scale == 0 {
		r.Scale = 1
	}
	if r.Tolerance == 0 {
		r.Tolerance = DefaultTolerance
	}
	if r.Silence == 0 {
		r.Silence = DefaultSilence
	}
	if r.Settle == 0 {
		r.Settle = DefaultSettle
	}
}

// newTrial makes the pacers of a trial and sets when it starts.
func (g *Generator) newTrial(r *Run) (*trial, error) {
	t := &trial{over: make(chan struct{}), pacers: make(map[*sender][]*pace.Pacer)}
	t.scale.Store(math.Float64bits(r.Scale))
	for _, s := range g.senders {
		for _, stream := range s.streams {
			stream.pps = stream.config.rate(r.Scale)
			p, err := g.config.pacer(stream.config, stream.pps)
			if err != nil {
				return nil, rateError("Scale", r.Scale, "stream "+stream.config.Name+": ", err)
			}
			t.pacers[s] = append(t.pacers[s], p)
		}
	}
	t.left.Store(int32(len(g.senders)))
	if len(g.senders) == 0 {
		close(t.over)
	}
	t.start = g.config.Clock.Now() + int64(startDelay)
	t.end = pace.Forever
	t.cut.Store(pace.Forever)
	if r.Duration > 0 {
		t.end = t.start + int64(r.Duration)
		t.overrun = int64(min(g.config.CatchUp, r.Duration/10))
	}
	g.spread(t)
	return t, nil
}

// spread starts the pacers. The continuous streams begin one after the other within the time
// that one packet of each takes, so that those of one rate send in turn and not all at once.
func (g *Generator) spread(t *trial) {
	n := 0
	for _, s := range g.senders {
		n += len(s.streams)
	}
	i := 0
	for _, s := range g.senders {
		for k, stream := range s.streams {
			at := t.start
			if stream.config.Pattern.Kind == pace.Continuous {
				at += int64(1e9 / stream.pps * float64(i) / float64(n))
			}
			t.pacers[s][k].Start(at, t.end)
			i++
		}
	}
}

// SetScale changes the scale of the trial that runs, if there is one. A failure is
// a [*ConfigError], and nothing is changed.
func (g *Generator) SetScale(scale float64) error {
	t := g.current.Load()
	if t == nil {
		return nil
	}
	for _, streams := range g.streams {
		for _, s := range streams {
			if _, err := g.config.pacer(s.config, s.config.rate(scale)); err != nil {
				return rateError("Scale", scale, "stream "+s.config.Name+": ", err)
			}
		}
	}
	t.scale.Store(math.Float64bits(scale))
	return nil
}

// watch waits until all senders have ended, and notes intervals. It reports whether
// ctx ended the trial early.
func (g *Generator) watch(ctx context.Context, t *trial, r *Run, c *count) (cut bool) {
	var ticks, late <-chan time.Time
	if r.Interval > 0 {
		ticker := time.NewTicker(r.Interval)
		defer ticker.Stop()
		ticks = ticker.C
	}
	over, last := t.over, startDelay+r.Duration+g.stuckAfter
	if len(g.senders) == 0 {
		over, last = nil, startDelay+r.Duration
	}
	if r.Duration > 0 {
		late = time.After(last)
	}
	cancelled := ctx.Done()
	for {
		select {
		case <-over:
			return cut
		case <-late:
			return cut
		case <-ticks:
			c.note(r.Interval / 10)
		case <-cancelled:
			cut, cancelled, late = true, nil, time.After(g.stuckAfter)
			t.cut.Store(g.config.Clock.Now())
			if over == nil {
				return cut
			}
		}
	}
}
