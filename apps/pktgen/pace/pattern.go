package pace

import (
	"fmt"
	"slices"
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
	Recorded               // at Times, whatever the rate
)

// Pattern is how packets follow each other. The zero value is Continuous.
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
	// Times are those of Recorded after the start, in nanoseconds and in order. They are
	// gone through Count times, 0 without end, with Gap between the last and the next first.
	// However late a packet is, it is sent.
	Times []int64
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
	case p.Kind == Recorded:
		return fmt.Sprintf("%d packets at recorded times", len(p.Times))
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
	case p.Kind < Continuous || p.Kind > Recorded:
		return fail("pattern", strconv.Itoa(int(p.Kind)), "no such pattern",
			"use Continuous, Bursts, Poisson or Recorded")
	case p.Kind != Bursts && p.Kind != Recorded:
		return nil
	case p.Kind == Bursts && p.Packets == 0:
		return fail("packets of a burst", "0", "nothing would be sent", "give 1 or more")
	case p.Kind == Recorded && len(p.Times) == 0:
		return fail("recorded times", "0", "nothing would be sent", "give 1 or more")
	case p.Kind == Recorded && (p.Times[0] < 0 || !slices.IsSorted(p.Times)):
		return fail("recorded times", fmt.Sprint(p.Times[:min(len(p.Times), 4)]), "not in order from 0",
			"sort them")
	case p.Gap < 0:
		return fail("gap", p.Gap.String(), "negative", "give a time like 10ms")
	}
	return nil
}

// NewPattern returns the pattern that is named as in scenarios: continuous, burst of so many
// packets, multi-burst of count of these with gaps, or poisson with a seed. A failure is
// an [*Error].
func NewPattern(name string, packets, count uint64, gap time.Duration, seed uint64) (Pattern, error) {
	var p Pattern
	switch name {
	case "", "continuous":
	case "burst":
		p = Burst(packets)
	case "multi-burst":
		p = MultiBurst(packets, count, gap)
	case "poisson":
		p = Pattern{Kind: Poisson, Seed: seed}
	default:
		return p, &Error{Op: "pattern", Value: name, Reason: "no such pattern",
			Remedy: "use continuous, burst, multi-burst or poisson", Err: ErrPattern}
	}
	return p, p.Check()
}
