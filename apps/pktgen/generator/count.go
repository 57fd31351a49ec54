package generator

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/result"
	"github.com/virtio-pmd/virtio-pmd/driver"
)

// count is what counters were when a trial began, and how they went on.
type count struct {
	g          *Generator
	start      int64 // of the trial
	sent       uint64
	received   uint64
	expected   uint64 // what Run.Received returned
	streams    [][]streamCount
	rx         []uint64
	ports      []driver.Stats
	gc         debug.GCStats
	intervals  []result.Interval
	onInterval func(*result.Interval) // nil for none

	before, last mark // the ends of the last two intervals
}

type streamCount struct{ packets, bytes uint64 }

func (g *Generator) startCount(t *trial, r *Run) *count {
	c := &count{g: g, onInterval: r.OnInterval, start: t.start, sent: g.sent(), received: g.received()}
	c.last = mark{t.start, c.sent, c.received}
	c.expected = c.arrived(r)
	for i, port := range g.config.Ports {
		c.ports = append(c.ports, port.Port.Stats())
		c.rx = append(c.rx, g.Received(i))
		var streams []streamCount
		for j := range g.streams[i] {
			packets, bytes := g.Sent(i, j)
			streams = append(streams, streamCount{packets, bytes})
		}
		c.streams = append(c.streams, streams)
	}
	debug.ReadGCStats(&c.gc)
	return c
}

// arrived returns what the wait for the last packets looks at.
func (c *count) arrived(r *Run) uint64 {
	if r.Received != nil {
		return r.Received()
	}
	return c.g.received()
}

// note ends an interval. What is shorter than the least is part of the next one.
func (c *count) note(least time.Duration) {
	if c.g.config.Clock.Now()-c.last.time < max(int64(least), 1) {
		return
	}
	now := c.now()
	c.intervals = append(c.intervals, c.interval(c.last, now))
	if c.onInterval != nil {
		c.onInterval(&c.intervals[len(c.intervals)-1])
	}
	c.before, c.last = c.last, now
}

// noteEnd ends the last interval. What is shorter than the least is part of the one before.
func (c *count) noteEnd(least time.Duration) {
	end := len(c.intervals) - 1
	if c.note(least); len(c.intervals)-1 > end || end < 0 {
		return
	}
	longer, i := c.interval(c.before, c.now()), &c.intervals[end]
	i.Duration, i.TxPPS, i.RxPPS = longer.Duration, longer.TxPPS, longer.RxPPS
}

// mark is the end of an interval.
type mark struct {
	time           int64
	sent, received uint64
}

func (c *count) now() mark {
	return mark{c.g.config.Clock.Now(), c.g.sent(), c.g.received()}
}

// interval returns the rates between two marks.
func (c *count) interval(from, to mark) result.Interval {
	d := float64(to.time-from.time) / 1e9
	return result.Interval{Start: from.time - c.start, Duration: to.time - from.time,
		TxPPS: float64(to.sent-from.sent) / d, RxPPS: float64(to.received-from.received) / d}
}

// settle waits for the last packets. It is silent only while the pollers make their rounds:
// from one that the machine does not run nothing can come.
func (c *count) settle(r *Run) {
	sent := c.g.sent() - c.sent
	began := time.Now()
	last, asked, silent := c.arrived(r), began, time.Duration(0)
	c.g.askRound()
	for last-c.expected < sent {
		time.Sleep(settleStep)
		rounds := c.g.askRound()
		now, n := time.Now(), c.arrived(r)
		switch {
		case n != last:
			last, silent = n, 0
		case rounds:
			silent += min(now.Sub(asked), longStep)
		}
		if rounds {
			asked = now
		}
		if silent >= r.Silence || now.Sub(began) >= r.Settle {
			return
		}
	}
}

// result returns what came of the trial, and the error of one that sent too little or was
// cut short.
func (c *count) result(ctx context.Context, t *trial, r *Run, cut bool) (*result.Trial, error) {
	out := &result.Trial{
		Start: c.g.config.Clock.Time(t.start), Duration: int64(r.Duration), Intervals: c.intervals, GC: c.pauses(),
		EffectiveDuration: c.g.config.Clock.Now() - t.start,
	}
	if cut || r.Duration == 0 {
		out.Duration = max(min(t.cut.Load(), t.end)-t.start, 0)
	}
	for i := range c.g.config.Ports {
		c.addPort(out, i)
	}
	c.addRates(out)
	switch {
	case cut && r.Duration != 0:
		return out, context.Cause(ctx)
	case out.Achieved.PPS < out.Intended.PPS*(1-r.Tolerance):
		return out, &ShortError{Intended: out.Intended, Achieved: out.Achieved, Tolerance: r.Tolerance,
			Unsent: out.Unsent, MaxLate: out.MaxLate}
	}
	return out, nil
}

// addPort adds what one port and its streams sent and received.
func (c *count) addPort(out *result.Trial, i int) {
	config := &c.g.config.Ports[i]
	now, before := config.Port.Stats(), &c.ports[i]
	port := result.Port{
		Name: config.Name, RxPackets: c.g.Received(i) - c.rx[i], RxBytes: now.RxBytes - before.RxBytes,
		RxErrors: now.RxErrors - before.RxErrors, RxNoMbuf: now.RxNoMbuf - before.RxNoMbuf,
		TxDropped: now.TxDropped + now.TxErrors - before.TxDropped - before.TxErrors,
		Resets:    now.Resets - before.Resets, Disconnects: now.Disconnects - before.Disconnects,
	}
	for j, s := range c.g.streams[i] {
		packets, bytes := c.g.Sent(i, j)
		sent := result.Stream{
			Name: s.config.Name, TxPort: config.Name,
			TxPackets: packets - c.streams[i][j].packets, TxBytes: bytes - c.streams[i][j].bytes,
		}
		sent.TxUnsent = s.pacer.Intended() - sent.TxPackets
		port.TxPackets += sent.TxPackets
		port.TxBytes += sent.TxBytes
		port.TxUnsent += sent.TxUnsent
		out.Streams = append(out.Streams, sent)
	}
	out.Ports = append(out.Ports, port)
}

// addRates adds the sums of all ports and what they are in a second.
func (c *count) addRates(out *result.Trial) {
	took := out.Duration
	var sentBytes, receivedBytes, received, calls uint64
	intendedBytes := 0.0
	for _, s := range c.g.senders {
		took = max(took, s.took())
		calls += s.calls
		for _, stream := range s.streams {
			out.MaxLate = max(out.MaxLate, int64(stream.pacer.MaxLate()))
			out.Quantum = max(out.Quantum, stream.pacer.Quantum())
		}
	}
	n := 0
	for i, port := range out.Ports {
		out.Sent += port.TxPackets
		out.Unsent += port.TxUnsent
		sentBytes += port.TxBytes
		received += port.RxPackets
		receivedBytes += port.RxBytes
		for _, s := range c.g.streams[i] {
			sent := out.Streams[n]
			n++
			length := s.config.MeanLen
			if length == 0 {
				length = mean(sent.TxBytes, sent.TxPackets)
			}
			intendedBytes += length * float64(sent.TxPackets+sent.TxUnsent)
		}
	}
	out.MeanBurst = mean(out.Sent, calls)
	intended := out.Sent + out.Unsent
	out.Lost = intended - min(received, intended)
	out.LossRatio = result.LossRatio(intended, out.Lost)
	out.Intended = rate(intended, intendedBytes, out.Duration)
	out.Achieved = rate(out.Sent, float64(sentBytes), took)
	out.Received = rate(received, float64(receivedBytes), took)
}

// rate returns the rate of packets in a time in nanoseconds.
func rate(packets uint64, bytes float64, time int64) result.Rate {
	if packets == 0 || time <= 0 {
		return result.Rate{}
	}
	return result.NewRate(float64(packets)/float64(time)*1e9, bytes/float64(packets))
}

func mean(sum, n uint64) float64 {
	if n == 0 {
		return 0
	}
	return float64(sum) / float64(n)
}

// pauses returns what the garbage collector did since the count began.
func (c *count) pauses() result.GC {
	var now debug.GCStats
	debug.ReadGCStats(&now)
	n := int(now.NumGC - c.gc.NumGC)
	gc := result.GC{Cycles: uint64(n), PauseTotal: int64(now.PauseTotal - c.gc.PauseTotal)}
	for _, pause := range now.Pause[:min(n, len(now.Pause))] {
		gc.PauseMax = max(gc.PauseMax, int64(pause))
	}
	return gc
}
