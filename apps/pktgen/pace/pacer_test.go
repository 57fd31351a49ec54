package pace

import (
	"math"
	"testing"
	"time"
)

const second = int64(time.Second)

// newPacer returns a pacer that has started at time 0.
func newPacer(t testing.TB, c Config) *Pacer {
	t.Helper()
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	p.Start(0, Forever)
	return p
}

// send takes everything that is due at a time and returns how much that was.
func send(p *Pacer, now int64) uint64 {
	var sent uint64
	for n := p.Due(now); n > 0; n = p.Due(now) {
		p.Advance(n)
		sent += uint64(n)
	}
	return sent
}

// TestPacketsAreDueOnTime compares with the times that a rate means, packet by packet.
func TestPacketsAreDueOnTime(t *testing.T) {
	for _, pps := range []float64{0.5, 1, 3, 1000, 7e4, 99999.5} {
		p := newPacer(t, Config{PPS: pps})
		if p.Quantum() != 1 {
			t.Fatalf("quantum %d at %v pps", p.Quantum(), pps)
		}
		for i := range 1000 {
			due := int64(math.Ceil(float64(i) * 1e9 / pps))
			if i > 0 && p.Due(due-2) != 0 {
				t.Fatalf("%v pps: packet %d is due before %d", pps, i, due)
			}
			if n := p.Due(due + 1); n != 1 {
				t.Fatalf("%v pps: %d packets at %d, when %d is due", pps, n, due, i)
			}
			if at := p.Oldest(); at < due-1 || at > due+1 {
				t.Fatalf("%v pps: packet %d is due at %d, not %d", pps, i, at, due)
			}
			p.Advance(1)
		}
	}
}

// TestNoDrift asks only now and then, over 100 hours, at a rate whose gaps are no number
// of nanoseconds.
func TestNoDrift(t *testing.T) {
	p := newPacer(t, Config{PPS: 3e6, Burst: 1 << 30, CatchUp: 1000 * time.Hour})
	for hour := int64(1); hour <= 100; hour++ {
		send(p, hour*3600*second)
		if want := uint64(hour)*3600*3e6 + 1; p.Taken() != want {
			t.Fatalf("%d packets after %d hours, not %d", p.Taken(), hour, want)
		}
	}
}

// TestRateIsExactUntilTheEnd counts what is due in a trial.
func TestRateIsExactUntilTheEnd(t *testing.T) {
	for pps, want := range map[float64]uint64{1000: 10000, 1e5: 1e6, 1e6: 1e7, 14880952: 148809520, 0.1: 1, 0.25: 3} {
		p := newPacer(t, Config{PPS: pps})
		p.Start(5, 5+10*second)
		for now := int64(0); now < 5+10*second+1000000; now += 1000000 {
			send(p, now)
		}
		if p.Finish(20 * second); p.Taken() != want || p.Missed() != 0 || p.Intended() != want || !p.Done() {
			t.Errorf("%v pps: %d packets in 10 s, not %d; %d missed", pps, p.Taken(), want, p.Missed())
		}
	}
}
