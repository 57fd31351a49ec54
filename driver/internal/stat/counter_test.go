package stat

import (
	"sync"
	"testing"
)

// TestReaderBesideOwner is for the race detector, and for a reader that must
// see the counter grow and end at the owner's total.
func TestReaderBesideOwner(t *testing.T) {
	const total = 10000
	var c Counter
	var g Gauge
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		for i := range uint64(total) {
			c.Add(1)
			g.Set(i)
		}
	}()
	for last := uint64(0); last < total; {
		now := c.Load()
		if now < last {
			t.Fatalf("counter went from %d back to %d", last, now)
		}
		if g.Load() >= total {
			t.Fatalf("gauge shows %d, which was never set", g.Load())
		}
		last = now
	}
	wg.Wait()
	if c.Load() != total || g.Load() != total-1 {
		t.Errorf("at the end: counter %d, gauge %d", c.Load(), g.Load())
	}
}

func TestAddCostsNoAllocation(t *testing.T) {
	var c Counter
	if n := testing.AllocsPerRun(100, func() { c.Add(2) }); n != 0 {
		t.Errorf("%v allocations an Add", n)
	}
	if c.Load() != 2*101 {
		t.Errorf("Load() = %d after 101 times Add(2)", c.Load())
	}
}
