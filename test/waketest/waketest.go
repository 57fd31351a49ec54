// Package waketest sends single packets to a goroutine that sleeps until its receive queue
// has one, and measures how long it takes to wake.
package waketest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

const (
	// longestGap is how long most gaps between packets are at most: the next packet
	// arrives while the receiver polls, asks for an interrupt, or sleeps.
	longestGap = 100 * time.Microsecond
	// longGaps is of how many gaps one is rather longGap.
	longGaps = 64
	longGap  = time.Millisecond
	// limit is how long all may take for each packet, and at least.
	limit = 20 * time.Second
)

// Result is how long packets took from the call that sent them until Wait had returned and
// Burst received them, in ascending order.
type Result struct{ Delays []time.Duration }

// Quantile returns the delay that the share q of the packets did not exceed.
func (r Result) Quantile(q float64) time.Duration {
	return r.Delays[min(int(q*float64(len(r.Delays))), len(r.Delays)-1)]
}

// String gives the quantiles.
func (r Result) String() string {
	return fmt.Sprintf("%d packets: median %v, 99.9 %% %v, longest %v", len(r.Delays),
		r.Quantile(0.5), r.Quantile(0.999), r.Quantile(1))
}

// Run sends n frames, one at a time after a random gap, and receives each of them from rx,
// whose goroutine sleeps in Wait whenever the queue is empty. It fails if a packet is lost,
// or if its interrupt was and only the bound on the sleep found it.
func Run(t testing.TB, rx *driver.RxQueue, n int, send func(frame []byte)) Result {
	t.Helper()
	frames := frametest.Series(0, n, 60)
	var sent, received atomic.Int64 // sent: when, in nanoseconds since epoch
	epoch := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), limit+time.Duration(n)*5*time.Millisecond)
	defer cancel()
	go func() {
		random := rand.New(rand.NewPCG(1, 2))
		for i := range n {
			for received.Load() < int64(i) && ctx.Err() == nil {
				time.Sleep(time.Microsecond)
			}
			gap(random)
			sent.Store(int64(time.Since(epoch)))
			send(frames[i])
		}
	}()
	r := Result{Delays: make([]time.Duration, 0, n)}
	before := rx.Stats()
	bufs := make([]*mbuf.Buf, 32)
	for i := 0; i < n; {
		if err := rx.Wait(ctx); err != nil {
			t.Fatalf("packet %d of %d: %v; %+v", i, n, err, rx.Stats())
		}
		got := rx.Burst(bufs)
		for _, b := range bufs[:got] {
			if number := frametest.Number(b.Data()); number != i {
				t.Fatalf("packet %d arrived, not %d", number, i)
			}
			r.Delays = append(r.Delays, time.Since(epoch)-time.Duration(sent.Load()))
			b.Free()
			i++
			received.Store(int64(i))
		}
	}
	s := rx.Stats()
	if lost := s.LostInterrupts - before.LostInterrupts; lost != 0 {
		t.Errorf("%d packets came without an interrupt", lost)
	}
	slept := s.Interrupts - before.Interrupts
	if slept < uint64(n)/4 {
		t.Errorf("%d of %d packets were received by a sleeper", slept, n)
	}
	slices.Sort(r.Delays)
	t.Logf("%v; %d interrupts, %d for nothing", r, slept, s.SpuriousWakes-before.SpuriousWakes)
	return r
}

// gap waits. Short gaps are not slept, because a sleep has a grain of its own.
func gap(random *rand.Rand) {
	if random.IntN(longGaps) == 0 {
		time.Sleep(longGap)
		return
	}
	for end := time.Now().Add(time.Duration(random.Int64N(int64(longestGap)))); time.Now().Before(end); {
	}
}
