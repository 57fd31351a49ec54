package pace

import (
	"fmt"
	"strconv"
	"time"
)

// Kind is how packets follow each other.
type Kind int

// Kinds of patterns.
const (
	Continuous Kind = iota // evenly, without end
	Bursts                 // Packets evenly, then nothing for Gap, and so on
	Poisson                // a Poisson process: gaps are exponentially distributed
)

// Pattern is how the packets of a rate follow each other. The zero value is Continuous.
type Pattern struct {
	Kind Kind
	// Packets is how many a burst has. They come at the rate; at Max back to back.
	Packets uint64
	// Count is how many bursts there are; 0 is without end.
	Count uint64
	// Gap is between the time at which the last packet of a burst is due and the first
	// of the next. At Max, where it is not known when packets will be sent, it begins
	// when the last one has been.
	Gap time.Duration
	// Seed chooses the gaps of Poisson. With the same one they are the same in every run.
	Seed uint64
}

// Burst returns the pattern of n packets once.
func Burst(n uint64) Pattern { return Pattern{Kind: Bursts, Packets: n, Count: 1} }

// MultiBurst returns the pattern of count bursts of n packets with gaps between them.
func MultiBurst(n, count uint64, gap time.Duration) Pattern {
	return Pattern{Kind: Bursts, Packets: n, Count: count, Gap: gap}
}

// String names the pattern for reports.
func (p Pattern) String() string {
	switch {
	case p.Kind == Poisson:
		return fmt.Sprintf("poisson (seed %d)", p.Seed)
	case p.Kind == Bursts && p.Count == 1:
		return fmt.Sprintf("burst of %d packets", p.Packets)
	case p.Kind == Bursts && p.Count == 0:
		return fmt.Sprintf("bursts of %d packets, gaps of %v", p.Packets, p.Gap)
	case p.Kind == Bursts:
		return fmt.Sprintf("%d bursts of %d packets, gaps of %v", p.Count, p.Packets, p.Gap)
	}
	return "continuous"
}

// Check returns an [*Error] for a pattern that cannot be paced.
func (p Pattern) Check() error {
	fail := func(op, value, reason, remedy string) error {
		return &Error{Op: op, Value: value, Reason: reason, Remedy: remedy, Err: ErrPattern}
	}
	switch {
	case p.Kind < Continuous || p.Kind > Poisson:
		return fail("pattern", strconv.Itoa(int(p.Kind)), "no such pattern", "use Continuous, Bursts or Poisson")
	case p.Kind != Bursts:
		return nil
	case p.Packets == 0:
		return fail("packets of a burst", "0", "nothing would be sent", "give 1 or more")
	case p.Gap < 0:
		return fail("gap between bursts", p.Gap.String(), "negative", "give a time like 10ms")
	}
	return nil
}
