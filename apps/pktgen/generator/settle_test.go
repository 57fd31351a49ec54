package generator

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestSettleAwaitsPollers: packets that wait for a poller which the machine does not run are
// not lost, however long that takes.
func TestSettleAwaitsPollers(t *testing.T) {
	r := newRig(t, 2, []string{"emu:cable=a", "emu:cable=a"}, func(c *Config) {
		c.Ports[0].Streams = []Stream{{Source: &counter{length: 60}, PPS: 1e4}}
	})
	var paused, over atomic.Bool
	paused.Store(true)
	var polling sync.WaitGroup
	for i, p := range r.Pollers() { // the last one receives
		polling.Go(func() {
			for !over.Load() {
				if i == 0 || !paused.Load() {
					p.Poll()
				}
				time.Sleep(10 * time.Microsecond)
			}
		})
	}
	defer polling.Wait()
	defer over.Store(true)
	const pause = 5 * time.Millisecond
	go func() {
		for r.current.Load() == nil {
			time.Sleep(time.Millisecond)
		}
		for r.current.Load() != nil { // until all is sent
			time.Sleep(time.Millisecond)
		}
		time.Sleep(10 * pause)
		paused.Store(false)
	}()
	got, err := r.Trial(t.Context(), Run{Duration: pause, Silence: pause, Settle: time.Minute, Tolerance: anyRate})
	if err != nil {
		t.Fatal(err)
	}
	if got.Sent+got.Unsent != 50 || got.Lost != got.Unsent || got.Received.PPS == 0 {
		t.Errorf("%d sent, %d unsent, %d lost", got.Sent, got.Unsent, got.Lost)
	}
}
