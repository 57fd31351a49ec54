package pace

import (
	"errors"
	"math"
	"slices"
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

// TestNoDrift asks once an hour, for 100 hours, at a rate whose gaps are no number of
// nanoseconds.
func TestNoDrift(t *testing.T) {
	p := newPacer(t, Config{PPS: 3e6, Burst: 1 << 30, CatchUp: 1000 * time.Hour})
	for hour := int64(1); hour <= 100; hour++ {
		send(p, hour*3600*second)
		if want := uint64(hour)*3600*3e6 + 1; p.Taken() != want {
			t.Fatalf("%d packets after %d hours, not %d", p.Taken(), hour, want)
		}
	}
}

// TestRateIsExactUntilTheEnd counts what is due in 10 s.
func TestRateIsExactUntilTheEnd(t *testing.T) {
	for pps, want := range map[float64]uint64{
		1000: 10_000, 1e5: 1_000_000, 1e6: 10_000_000, 2e6 + 0.1: 20_000_001, 0.1: 1, 0.25: 3,
	} {
		p := newPacer(t, Config{PPS: pps})
		p.Start(5, 5+10*second)
		for now := int64(0); now < 5+10*second+1000000; now += 1000000 {
			send(p, now)
		}
		p.Finish(20 * second)
		if p.Taken() != want || p.Missed() != 0 || p.Intended() != want || !p.Done() {
			t.Errorf("%v pps: %d packets in 10 s, not %d; %d missed", pps, p.Taken(), want, p.Missed())
		}
	}
}

func TestQuantumGrowsWithTheRate(t *testing.T) {
	for pps, want := range map[float64]int{1: 1, 999e3: 1, 1e6: 2, 5e6: 10, 16e6: 32, 1e9: 32, math.Inf(1): 32} {
		p := newPacer(t, Config{PPS: pps})
		if p.Quantum() != want {
			t.Errorf("%v pps: a quantum of %d, not %d", pps, p.Quantum(), want)
		}
		if math.IsInf(pps, 1) {
			continue
		}
		// The quantum is due when its last packet is, and at once.
		at := int64(math.Ceil(float64(want-1) * 1e9 / pps))
		if at > 2 && p.Due(at-2) != 0 {
			t.Errorf("%v pps: %d packets are due before the quantum is complete", pps, p.Due(at-2))
		}
		if n := p.Due(at + 1); n != want {
			t.Errorf("%v pps: %d packets are due with the quantum of %d", pps, n, want)
		}
	}
}

// TestCatchUp finds what a sender that pauses has to send, what it is spared, and how late
// it was.
func TestCatchUp(t *testing.T) {
	p := newPacer(t, Config{PPS: 1e5, CatchUp: 10 * time.Millisecond})
	if send(p, 0) != 1 || p.MaxLate() != 0 {
		t.Error("the first packet is late")
	}
	if n := send(p, 5_000_000); n != 500 || p.Missed() != 0 || p.MaxLate() != 4990*time.Microsecond {
		t.Errorf("after 5 ms: %d packets, %d missed, up to %v late", n, p.Missed(), p.MaxLate())
	}
	// Packets 501 to 8999 were due before 90 ms and are left out.
	if n := send(p, 100_000_000); n != 1001 || p.Missed() != 8499 {
		t.Errorf("after 100 ms: %d packets, %d missed", n, p.Missed())
	}
	if p.Intended() != 10001 || p.MaxLate() != 94990*time.Microsecond {
		t.Errorf("%d packets were due, the latest found %v late", p.Intended(), p.MaxLate())
	}
}

func TestMaxNeedsNoClock(t *testing.T) {
	p := newPacer(t, Config{PPS: math.Inf(1), Burst: 64})
	for range 1000 {
		if n := p.Due(1); n != 64 {
			t.Fatalf("%d packets are due at max, not 64", n)
		}
		p.Advance(64)
	}
	p.Finish(2)
	if p.Taken() != 64000 || p.Missed() != 0 || p.Due(3) != 0 {
		t.Errorf("%d packets, %d missed", p.Taken(), p.Missed())
	}
	p.Start(10, 20)
	if p.Due(9) != 0 || p.Due(10) != 64 || p.Due(20) != 0 {
		t.Error("packets are due before the start or after the end")
	}
}

// TestBurstsShape records when every packet of bursts is due.
func TestBurstsShape(t *testing.T) {
	p := newPacer(t, Config{PPS: 1e5, Pattern: MultiBurst(4, 3, time.Millisecond)})
	var got []int64
	for now := int64(0); !p.Done() && now < second; now++ {
		if n := p.Due(now); n > 0 {
			for range n {
				got = append(got, now)
			}
			p.Advance(n)
		}
	}
	// 10 µs between packets, a millisecond after the last of each burst.
	want := []int64{0, 10000, 20000, 30000, 1030000, 1040000, 1050000, 1060000, 2060000, 2070000, 2080000, 2090000}
	if len(got) != len(want) {
		t.Fatalf("packets at %v, not %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("packets at %v, not %v", got, want)
		}
	}
}

// TestBackToBackBursts has a sender that takes 7 µs for every call.
func TestBackToBackBursts(t *testing.T) {
	p := newPacer(t, Config{PPS: math.Inf(1), Pattern: MultiBurst(100, 2, time.Millisecond)})
	var sizes []int
	var at []int64
	for now := int64(0); !p.Done(); now += 7000 {
		if n := p.Due(now); n > 0 {
			sizes, at = append(sizes, n), append(at, now)
			p.Advance(n)
		}
	}
	want := []int{32, 32, 32, 4, 32, 32, 32, 4}
	if len(sizes) != len(want) {
		t.Fatalf("sent %v at %v", sizes, at)
	}
	for i := range want {
		if sizes[i] != want[i] {
			t.Fatalf("sent %v at %v", sizes, at)
		}
	}
	if gap := at[4] - at[3]; gap < 1_000_000 || gap > 1_007_000 {
		t.Errorf("%d ns between the bursts", gap)
	}
	if p.Taken() != 200 || p.Missed() != 0 {
		t.Errorf("%d packets, %d missed", p.Taken(), p.Missed())
	}
}

func TestBurstOnceEndsByItself(t *testing.T) {
	p := newPacer(t, Config{PPS: 1e6, Pattern: Burst(5)})
	if n := send(p, 1_000_000); n != 5 || !p.Done() || p.Due(2*second) != 0 {
		t.Errorf("%d packets; done: %t", n, p.Done())
	}
}

// TestAdvanceLess is a sender that has no room for all that is due.
func TestAdvanceLess(t *testing.T) {
	p := newPacer(t, Config{PPS: 1e6})
	if n := p.Due(10_000); n != 11 {
		t.Fatalf("%d packets are due after 10 µs", n)
	}
	p.Advance(4)
	if n := p.Due(10_000); n != 7 || p.Oldest() != 4000 {
		t.Errorf("%d packets are left, the oldest due at %d", n, p.Oldest())
	}
}

// TestRecorded sends at times that were recorded, twice, and leaves none out however late
// the sender is.
func TestRecorded(t *testing.T) {
	p := newPacer(t, Config{Burst: 2, CatchUp: 1, Pattern: Pattern{
		Kind: Recorded, Times: []int64{5, 5, 100, 250}, Count: 2, Gap: 50}})
	var got []int64
	for now := int64(0); now < 600; now++ {
		if now > 320 && now < 500 {
			continue
		}
		for n := p.Due(now); n > 0; n = p.Due(now) {
			for range n {
				got = append(got, now)
			}
			p.Advance(n)
		}
	}
	if want := []int64{5, 5, 100, 250, 305, 305, 500, 550}; !slices.Equal(got, want) {
		t.Errorf("sent at %v, not %v", got, want)
	}
	if !p.Done() || p.Missed() != 0 || p.MaxLate() != 100 {
		t.Errorf("done: %t, %d missed, %v late", p.Done(), p.Missed(), p.MaxLate())
	}
	p.Start(0, 200)
	send(p, 50)
	if p.Finish(300); p.Taken() != 2 || p.Missed() != 1 {
		t.Errorf("%d sent and %d missed until 200", p.Taken(), p.Missed())
	}
}

func TestNewPattern(t *testing.T) {
	for name, want := range map[string]string{
		"": "continuous", "continuous": "continuous", "burst": "burst of 7 packets",
		"multi-burst": "3 bursts of 7 packets, gaps of 1ms", "poisson": "poisson (seed 5)",
	} {
		p, err := NewPattern(name, 7, 3, time.Millisecond, 5)
		if err != nil || p.String() != want {
			t.Errorf("%q: %v, %v", name, p, err)
		}
	}
	for _, name := range []string{"bursts", "Poisson", "recorded"} {
		if _, err := NewPattern(name, 7, 3, 0, 5); !errors.Is(err, ErrPattern) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := NewPattern("burst", 0, 0, 0, 0); !errors.Is(err, ErrPattern) {
		t.Errorf("burst of none: %v", err)
	}
}

func TestNotStarted(t *testing.T) {
	p, err := New(Config{PPS: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if p.Due(second) != 0 || !p.Done() {
		t.Error("packets are due before Start")
	}
	p.Start(second, 2*second)
	if p.Due(second-1) != 0 || p.Due(second) != 1 {
		t.Error("the first packet is not due at the start")
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		config Config
		kind   error
	}{
		{Config{}, ErrZero},
		{Config{PPS: -1}, ErrZero},
		{Config{PPS: math.NaN()}, ErrZero},
		{Config{PPS: 2 * MaxPPS}, ErrTooHigh},
		{Config{PPS: 1e-9}, ErrTooLow},
		{Config{PPS: 1, Burst: -1}, ErrPattern},
		{Config{PPS: 1, CatchUp: -1}, ErrPattern},
		{Config{PPS: 1, Pattern: Burst(0)}, ErrPattern},
		{Config{PPS: 1, Pattern: MultiBurst(1, 1, -1)}, ErrPattern},
		{Config{PPS: 1, Pattern: Pattern{Kind: 7}}, ErrPattern},
		{Config{Pattern: Pattern{Kind: Recorded}}, ErrPattern},
		{Config{Pattern: Pattern{Kind: Recorded, Times: []int64{2, 1}}}, ErrPattern},
		{Config{Pattern: Pattern{Kind: Recorded, Times: []int64{-1}}}, ErrPattern},
		{Config{PPS: math.Inf(1), Pattern: Pattern{Kind: Poisson}}, ErrPattern},
	} {
		_, err := New(c.config)
		var typed *Error
		if !errors.Is(err, c.kind) || !errors.As(err, &typed) {
			t.Errorf("%+v: %v, not %v", c.config, err, c.kind)
		}
	}
}

// TestSetPPSRefuses keeps the rate.
func TestSetPPSRefuses(t *testing.T) {
	p := newPacer(t, Config{PPS: 1000})
	if err := p.SetPPS(0, 0); !errors.Is(err, ErrZero) {
		t.Error(err)
	}
	if n := send(p, 10_000_000); n != 11 {
		t.Errorf("%d packets in 10 ms at the old rate", n)
	}
}

// BenchmarkPacer is what a quantum costs.
func BenchmarkPacer(b *testing.B) {
	for name, c := range map[string]Config{
		"1Mpps": {PPS: 1e6}, "10Mpps": {PPS: 1e7}, "poisson": {PPS: 1e6, Pattern: Pattern{Kind: Poisson}},
	} {
		b.Run(name, func(b *testing.B) {
			p := newPacer(b, c)
			b.ReportAllocs()
			for now := int64(0); b.Loop(); now += 1000 {
				if n := p.Due(now); n > 0 {
					p.Advance(n)
				}
			}
		})
	}
}
