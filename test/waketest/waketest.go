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
	// grace is how long an interrupt that had not come when its packet was found is waited
	// for: a machine that is busy, or a guest that is stopped, delays it.
	grace = 2 * time.Second
	// FrameLen is the length of the frames.
	FrameLen = 60
)

// Result is what happened to the packets.
type Result struct {
	// Delays are how long packets took from the call that sent them until Wait had returned
	// and Burst received them, in ascending order.
	Delays []time.Duration
	// Slept are the packets that ended a sleep, by an interrupt, and Spurious interrupts for
	// nothing. The bound on the sleep found the packets of Late, whose interrupt came
	// afterwards, and of Lost, whose interrupt did not come.
	Slept, Spurious, Late, Lost uint64
}

// Quantile returns the delay that the share q of the packets did not exceed.
func (r Result) Quantile(q float64) time.Duration {
	return r.Delays[min(int(q*float64(len(r.Delays))), len(r.Delays)-1)]
}

// String gives the counts and quantiles.
func (r Result) String() string {
	return fmt.Sprintf("%d packets, %d woke a sleeper, %d interrupts for nothing, %d late, %d lost: "+
		"median %v, 99.9 %% %v, longest %v", len(r.Delays), r.Slept, r.Spurious, r.Late, r.Lost,
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

// Check returns what is wrong with the result, nil if nothing is.
func (r Result) Check() error {
	switch {
	case r.Lost != 0:
		return fmt.Errorf("%d packets came without an interrupt", r.Lost)
	case r.Slept < uint64(len(r.Delays))/16: // on a busy machine the receiver is often late to sleep
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
		got, now := rx.Burst(bufs), time.Since(epoch)
		if s := rx.Stats(); s.LostInterrupts-before.LostInterrupts != r.Late+r.Lost {
			if interruptComes(ctx, rx, s.SpuriousWakes) {
				r.Late++
			} else {
				r.Lost++
			}
		}
		for _, b := range bufs[:got] {
			number := frametest.Number(b.Data())
			if b.Free(); number != i {
				return r, fmt.Errorf("packet %d arrived, not %d", number, i)
			}
			r.Delays = append(r.Delays, now-time.Duration(sent.Load()))
			i++
			received.Store(int64(i))
		}
	}
	s := rx.Stats()
	r.Slept, r.Spurious = s.Interrupts-before.Interrupts, s.SpuriousWakes-before.SpuriousWakes
	slices.Sort(r.Delays)
	return r, nil
}

// interruptComes reports whether the device interrupts within the grace, for a packet that
// was found. There were spurious interrupts for nothing before, and no other packet is sent
// meanwhile.
func interruptComes(ctx context.Context, rx *driver.RxQueue, spurious uint64) bool {
	for end := time.Now().Add(grace); time.Now().Before(end); {
		ctx, cancel := context.WithTimeout(ctx, grace/100)
		_ = rx.Wait(ctx) // ends with ctx, as there is no packet
		cancel()
		if rx.Stats().SpuriousWakes != spurious {
			return true
		}
	}
	return false
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
