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
	// FrameLen is the length of the frames.
	FrameLen = 60
)

// Result is what happened to the packets.
type Result struct {
	// Delays are how long packets took from the call that sent them until Wait had returned
	// and Burst received them, in ascending order.
	Delays []time.Duration
	// Slept are the packets that ended a sleep, by an interrupt, Spurious interrupts for
	// nothing, and Lost packets whose interrupt had not come after the bound on the sleep.
	Slept, Spurious, Lost uint64
}

// Quantile returns the delay that the share q of the packets did not exceed.
func (r Result) Quantile(q float64) time.Duration {
	return r.Delays[min(int(q*float64(len(r.Delays))), len(r.Delays)-1)]
}

// String gives the counts and quantiles.
func (r Result) String() string {
	return fmt.Sprintf("%d packets, %d woke a sleeper, %d interrupts for nothing, %d lost: "+
		"median %v, 99.9 %% %v, longest %v", len(r.Delays), r.Slept, r.Spurious, r.Lost,
		r.Quantile(0.5), r.Quantile(0.999), r.Quantile(1))
}

// Run is [Measure] for a test, which fails if a packet is lost, or if its interrupt was and
// only the bound on the sleep found it.
func Run(t testing.TB, rx *driver.RxQueue, n int, send func(frame []byte) error) {
	t.Helper()
	r, err := Measure(t.Context(), rx, n, send)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(r)
	if err := r.Check(); err != nil {
		t.Error(err)
	}
}

// Check returns what is wrong with the result, nil if nothing is. An interrupt that is late,
// because the machine is busy for longer than the bound on the sleep, comes for nothing when
// its packet has been found.
func (r Result) Check() error {
	switch {
	case r.Lost > r.Spurious:
		return fmt.Errorf("%d packets came without an interrupt, and %d interrupts were late", r.Lost, r.Spurious)
	case r.Slept < uint64(len(r.Delays))/4:
		return fmt.Errorf("%d of %d packets were received by a sleeper", r.Slept, len(r.Delays))
	}
	return nil
}

// Measure sends n frames, one at a time after a random gap, and receives each of them from
// rx, whose goroutine sleeps in Wait whenever the queue is empty.
func Measure(
	ctx context.Context, rx *driver.RxQueue, n int, send func(frame []byte) error,
) (Result, error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var sent, received atomic.Int64 // sent: when, in nanoseconds since epoch
	epoch := time.Now()
	go func() {
		random := rand.New(rand.NewPCG(1, 2))
		for i := range n {
			frame := frametest.Seq(i, FrameLen)
			for received.Load() < int64(i) {
				if ctx.Err() != nil {
					return
				}
				time.Sleep(time.Microsecond)
			}
			gap(random)
			sent.Store(int64(time.Since(epoch)))
			if err := send(frame); err != nil {
				fail(err)
				return
			}
		}
	}()
	r := Result{Delays: make([]time.Duration, 0, n)}
	before := rx.Stats()
	bufs := make([]*mbuf.Buf, 32)
	for i := 0; i < n; {
		if err := rx.Wait(ctx); err != nil {
			return r, fmt.Errorf("packet %d of %d: %w: %w; %+v", i, n, err, context.Cause(ctx), rx.Stats())
		}
		got := rx.Burst(bufs)
		for _, b := range bufs[:got] {
			number := frametest.Number(b.Data())
			if b.Free(); number != i {
				return r, fmt.Errorf("packet %d arrived, not %d", number, i)
			}
			r.Delays = append(r.Delays, time.Since(epoch)-time.Duration(sent.Load()))
			i++
			received.Store(int64(i))
		}
	}
	s := rx.Stats()
	r.Slept, r.Spurious = s.Interrupts-before.Interrupts, s.SpuriousWakes-before.SpuriousWakes
	r.Lost = s.LostInterrupts - before.LostInterrupts
	slices.Sort(r.Delays)
	return r, nil
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
