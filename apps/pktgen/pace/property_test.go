package pace

import (
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is a continuous schedule in exact arithmetic, from time 0.
type model struct {
	past []sample
}

type sample struct {
	now int64
	pps float64 // from then on
}

func newModel(pps float64) *model {
	return &model{past: []sample{{0, pps}}}
}

// dueBy returns how many packets are due by a time, which may be in the past.
func (m *model) dueBy(now int64) uint64 {
	if now < 0 {
		return 0
	}
	sum := new(big.Rat)
	for i, s := range m.past {
		end := now
		if i+1 < len(m.past) {
			end = min(end, m.past[i+1].now)
		}
		if end <= s.now {
			continue
		}
		rate := new(big.Rat).SetFrac64(int64(s.pps*1e9+0.5), 1e18)
		sum.Add(sum, rate.Mul(rate, new(big.Rat).SetInt64(end-s.now)))
	}
	return new(big.Int).Quo(sum.Num(), sum.Denom()).Uint64() + 1
}

// TestScheduleProperty calls a pacer at arbitrary times, takes arbitrary parts of what is
// due, and changes the rate. Never is more sent than was due, what is missed is
// exactly what was too far behind, and what is left is less than a quantum.
func TestScheduleProperty(t *testing.T) {
	rates := rapid.Custom(func(t *rapid.T) float64 {
		return float64(rapid.Int64Range(1, 2e9).Draw(t, "millipps")) / 1e3
	})
	rapid.Check(t, func(t *rapid.T) {
		const catchUp = 50_000
		pps := rates.Draw(t, "pps")
		p, err := New(Config{PPS: pps, CatchUp: catchUp, Burst: rapid.IntRange(1, 40).Draw(t, "burst")})
		if err != nil {
			t.Fatal(err)
		}
		p.Start(0, Forever)
		m := newModel(pps)
		var now, changed int64
		for range rapid.IntRange(1, 60).Draw(t, "calls") {
			now += rapid.OneOf(rapid.Int64Range(0, 5000), rapid.Int64Range(0, 200_000)).Draw(t, "step")
			before, missed := p.Intended(), p.Missed()
			n := p.Due(now)
			due := m.dueBy(now)
			if p.Intended()+uint64(n) > due {
				t.Fatalf("at %d: %d and %d packets, but %d are due", now, p.Intended(), n, due)
			}
			if n == 0 && due-p.Intended() >= uint64(p.Quantum()) {
				t.Fatalf("at %d: none is due, but %d of %d were not sent", now, due-p.Intended(), due)
			}
			// What was due before a change of the rate counts as due at the change.
			limit := m.dueBy(now - catchUp - 1)
			if now-catchUp-1 < changed {
				limit = 0
			}
			if skipped := p.Missed() - missed; skipped > 0 && before+skipped != limit {
				t.Fatalf("at %d: %d packets missed after %d, but %d were due %d ns before", now, skipped, before, limit, catchUp)
			}
			p.Advance(rapid.IntRange(0, n).Draw(t, "sent"))
			if rapid.IntRange(0, 9).Draw(t, "change") == 0 {
				pps = rates.Draw(t, "pps")
				if err := p.SetPPS(pps, now); err != nil {
					t.Fatal(err)
				}
				m.past = append(m.past, sample{now, pps})
				changed = now
			}
		}
		end := now + rapid.Int64Range(1, 1_000_000).Draw(t, "rest")
		p.Finish(end)
		if due := m.dueBy(end - 1); p.Intended() != due {
			t.Fatalf("%d packets were sent or missed, but %d were due", p.Intended(), due)
		}
	})
}

// TestSteadySenderProperty has a sender that is never late by more than the catch-up: it
// misses nothing, and after any time it has sent all but a quantum.
func TestSteadySenderProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pps := float64(rapid.Int64Range(1, 20_000_000).Draw(t, "pps"))
		p, err := New(Config{PPS: pps, CatchUp: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		start := rapid.Int64Range(0, 1<<40).Draw(t, "start")
		p.Start(start, Forever)
		m := newModel(pps)
		now := start
		for range 50 {
			now += rapid.Int64Range(0, 900_000).Draw(t, "step")
			for n := p.Due(now); n > 0; n = p.Due(now) {
				p.Advance(n)
			}
			if due := m.dueBy(now - start); p.Missed() > 0 || due-p.Taken() >= uint64(p.Quantum()) {
				t.Fatalf("%d of %d packets after %d ns, %d missed", p.Taken(), due, now-start, p.Missed())
			}
		}
	})
}

// TestBurstsProperty compares bursts with their definition.
func TestBurstsProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Uint64Range(1, 100).Draw(t, "size")
		count := rapid.Uint64Range(1, 5).Draw(t, "count")
		gap := rapid.Int64Range(0, 100_000).Draw(t, "gap")
		period := rapid.Int64Range(1, 10_000).Draw(t, "period")
		p, err := New(Config{PPS: 1e9 / float64(period), CatchUp: time.Second, Pattern: MultiBurst(size, count, time.Duration(gap))})
		if err != nil {
			t.Fatal(err)
		}
		p.Start(0, Forever)
		sent := uint64(0)
		for now := int64(0); !p.Done(); now += rapid.Int64Range(1, 50_000).Draw(t, "step") {
			for n := p.Due(now); n > 0; n = p.Due(now) {
				// The last of them is due by now, to the nanosecond a rate is rounded to.
				last := sent + uint64(n) - 1
				at := int64(last/size)*(int64(size-1)*period+gap) + int64(last%size)*period
				if at > now+int64(count) {
					t.Fatalf("packet %d is due at %d, not at %d", last, at, now)
				}
				p.Advance(n)
				sent += uint64(n)
			}
		}
		if sent != size*count || p.Missed() != 0 {
			t.Fatalf("%d packets in %d bursts of %d, %d missed", sent, count, size, p.Missed())
		}
	})
}
