package pace

import (
	"math"
	"strconv"
	"time"
)

const (
	// DefaultBurst is how many packets are due at once at most unless Config says otherwise.
	DefaultBurst = 32
	// DefaultCatchUp is how far behind a pacer may be unless Config says otherwise.
	DefaultCatchUp = 250 * time.Millisecond
	// quantumTime is for how long packets are collected: somewhat less than a sender takes
	// for a burst.
	quantumTime = 2 * time.Microsecond
	// packet is one packet in what a rate in nanopackets a second makes in nanoseconds.
	packet = 1_000_000_000_000_000_000

	unbounded = math.MaxUint64
	never     = math.MaxInt64
)

// Forever is the end of a schedule that has none.
const Forever = never - 1

// Config says what a [Pacer] paces. Only PPS is required.
type Config struct {
	// PPS is how many packets there are in a second, +Inf for as many as possible. It is
	// exact to a billionth of a packet. The pattern Recorded needs none.
	PPS     float64
	Pattern Pattern
	// Burst is how many packets Due returns at most; 0 means DefaultBurst.
	Burst int
	// CatchUp is how much time packets may be behind their schedule and still be sent; 0
	// means DefaultCatchUp. They are sent as fast as possible then: MaxLate says how much it was.
	CatchUp time.Duration
}

// Pacer says how many packets are due. It belongs to one goroutine.
type Pacer struct {
	burst   int
	quantum int
	catchUp int64
	pattern Pattern
	rate    uint64 // nanopackets a second; 0 is Max

	// The packets of the current burst are numbered from 0; a continuous stream is one
	// burst without end. By time t, base + (acc + (t-anchor)*rate)/packet + 1 are due.
	anchor int64
	base   uint64
	acc    uint64 // less than packet
	next   uint64 // the packet that is sent next
	left   uint64 // bursts that follow

	arrivals arrivals // of Poisson

	end     int64 // nothing is due then or later
	wake    int64 // when Due finds something next
	now     int64 // of the last Due
	taken   uint64
	missed  uint64
	maxLate int64
}

// New returns a pacer that is not started: nothing is due. A failure is an [*Error].
func New(c Config) (*Pacer, error) {
	if err := c.Pattern.Check(); err != nil {
		return nil, err
	}
	if c.Burst == 0 {
		c.Burst = DefaultBurst
	}
	if c.CatchUp == 0 {
		c.CatchUp = DefaultCatchUp
	}
	if c.Burst < 0 || c.CatchUp < 0 {
		return nil, &Error{Op: "pacer", Value: strconv.Itoa(c.Burst) + ", " + c.CatchUp.String(),
			Reason: "negative", Remedy: "leave out Burst and CatchUp for defaults", Err: ErrPattern}
	}
	p := &Pacer{burst: c.Burst, catchUp: int64(c.CatchUp), pattern: c.Pattern, wake: never}
	if c.Pattern.Kind == Poisson {
		p.arrivals.due = make([]int64, 0, c.Burst+1)
	}
	return p, p.setPPS(c.PPS)
}

// setPPS sets the rate and the quantum, and nothing else.
func (p *Pacer) setPPS(pps float64) error {
	if p.pattern.Kind == Recorded {
		p.rate, p.quantum = 1, 1
		return nil
	}
	if math.IsInf(pps, 1) {
		if p.pattern.Kind == Poisson {
			return &Error{Op: "pattern", Value: p.pattern.String(), Reason: "has no mean gap at the rate max",
				Remedy: "give a rate like 1Mpps, or another pattern", Err: ErrPattern}
		}
		p.rate, p.quantum = 0, p.burst
		return nil
	}
	if _, err := (Rate{pps, PPS}).PPS(0, 0); err != nil {
		return err
	}
	p.rate = uint64(math.Round(pps * 1e9))
	p.quantum = 1
	if p.pattern.Kind != Poisson {
		p.quantum = max(1, min(p.burst, int(pps*quantumTime.Seconds())))
	}
	p.arrivals.mean = 1e9 / pps
	return nil
}

// Quantum returns how many packets are sent together at this rate, while the sender is on
// time.
func (p *Pacer) Quantum() int { return p.quantum }

// Start begins the schedule: the first packet is due at the given time, which may be
// in the future, and none at the time end or later; [Forever] has no end. All counts are 0.
// It may be called again, and the schedule is then the same.
func (p *Pacer) Start(at, end int64) {
	p.end = end
	p.anchor, p.base, p.acc, p.next = at, 0, 0, 0
	p.taken, p.missed, p.maxLate, p.now = 0, 0, 0, at
	p.left = unbounded
	if p.hasBursts() && p.pattern.Count > 0 {
		p.left = p.pattern.Count - 1
	}
	if p.pattern.Kind == Poisson {
		p.arrivals.start(at, p.pattern.Seed)
	}
	p.setWake()
}

// Due returns how many packets are to be sent now, at most Config.Burst: 0 until a quantum,
// or the rest before the end, is due. now must not go back.
func (p *Pacer) Due(now int64) int {
	if now < p.wake {
		return 0
	}
	if now >= p.end {
		if p.rate == 0 {
			return 0
		}
		now = p.end - 1
	}
	p.now = now
	if p.rate == 0 {
		return int(min(uint64(p.burst), p.size()-p.next))
	}
	late := now - p.wake
	p.maxLate = max(p.maxLate, late)
	if late > p.catchUp && p.pattern.Kind != Recorded {
		return p.skipLate()
	}
	if p.pattern.Kind == Poisson {
		return p.arrivals.count(now)
	}
	return int(min(p.dueBy(now)-p.next, uint64(p.burst)))
}

// Advance says that n packets were sent, at most as many as Due returned.
func (p *Pacer) Advance(n int) {
	p.taken += uint64(n)
	p.pass(uint64(n))
}

// Oldest returns when the packet that is sent next was or will be due. At Max that is
// now.
func (p *Pacer) Oldest() int64 {
	switch {
	case p.wake == never:
		return never
	case p.rate == 0:
		return max(p.now, p.anchor)
	case p.pattern.Kind == Poisson:
		return p.arrivals.due[0]
	}
	return p.timeOf(p.next)
}

// Finish ends the schedule at the given time, or at the end given to Start if that is before
// it: what was due before and was not sent is missed.
func (p *Pacer) Finish(at int64) {
	if p.rate != 0 && p.wake != never {
		p.skip(min(at, p.end) - 1)
	}
	p.wake = never
}

// Intended returns how many packets were sent or missed. After Finish that is all that
// were due.
func (p *Pacer) Intended() uint64 { return p.taken + p.missed }

// Taken returns how many packets Advance counted since Start.
func (p *Pacer) Taken() uint64 { return p.taken }

// Missed returns how many packets were left out since Start because they were more than
// Config.CatchUp behind or the schedule was finished.
func (p *Pacer) Missed() uint64 { return p.missed }

// MaxLate returns how long after a quantum was complete Due returned it, at most.
func (p *Pacer) MaxLate() time.Duration { return time.Duration(p.maxLate) }

// Done reports whether all packets of the pattern were sent or missed, or the schedule
// is finished.
func (p *Pacer) Done() bool { return p.wake == never }

// SetPPS changes the rate at the given time. What was due by then remains so, and the part
// of a packet that the old rate had come to by then counts on. A failure is an [*Error],
// and nothing is changed.
func (p *Pacer) SetPPS(pps float64, now int64) error {
	old, base, acc := p.rate, p.base, p.acc
	anchor := max(now, p.anchor)
	switch {
	case p.wake == never:
		anchor = p.anchor
	case old == 0:
		base, acc = p.next, 0
	case p.pattern.Kind == Recorded:
		return nil
	case p.pattern.Kind != Poisson && anchor > p.anchor:
		due, rest := p.progress(anchor)
		base, acc = min(due, p.size()-1), rest
	}
	if err := p.setPPS(pps); err != nil {
		return err
	}
	p.anchor, p.base, p.acc = anchor, base, acc
	if p.wake != never {
		p.setWake()
	}
	return nil
}
