package driver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// call is a method of Port with a context.
type call func(ctx context.Context, p *Port) error

// everyCall returns the calls that send commands, and those that do something else, or
// nothing, as for a queue that is stopped: transmit queue 2.
func everyCall() map[string]call {
	calls := map[string]call{
		"as many pairs":     func(ctx context.Context, p *Port) error { return p.SetQueuePairs(ctx, p.ActivePairs()) },
		"fewer pairs":       func(ctx context.Context, p *Port) error { return p.SetQueuePairs(ctx, 1) },
		"RSS":               func(ctx context.Context, p *Port) error { return p.SetRSS(ctx, RSS{Table: []uint16{0}}) },
		"hash":              func(ctx context.Context, p *Port) error { return p.SetHash(ctx, HashConfig{Types: virtio.HashIPv4}) },
		"inner hash":        func(ctx context.Context, p *Port) error { return p.SetInnerHash(ctx, virtio.TunnelVXLAN) },
		"stop":              func(ctx context.Context, p *Port) error { return p.StopRxQueue(ctx, 1) },
		"stop again":        func(ctx context.Context, p *Port) error { return p.StopTxQueue(ctx, 2) },
		"start":             func(ctx context.Context, p *Port) error { return p.StartTxQueue(ctx, 2) },
		"start again":       func(ctx context.Context, p *Port) error { return p.StartTxQueue(ctx, 0) },
		"size":              func(ctx context.Context, p *Port) error { return p.ResizeRxQueue(ctx, 0, 64) },
		"size when stopped": func(ctx context.Context, p *Port) error { return p.ResizeTxQueue(ctx, 2, 64) },
		"coalescing when stopped": func(ctx context.Context, p *Port) error {
			return p.SetTxQueueCoalescing(ctx, 2, Coalescing{Packets: 7, Delay: time.Second})
		},
		"announce": func(ctx context.Context, p *Port) error { return p.Announce(ctx) },
	}
	for name, way := range ways {
		calls[name] = way.call
	}
	return calls
}

// newCallRig is a rig with three pairs, RSS and hashes, whose transmit queue 2 is stopped.
func newCallRig(t *testing.T, c Config) *controlRig {
	t.Helper()
	c.Request = rssFeatures.With(virtio.NetHashTunnel)
	r := newControlRig(t, vdev.Config{Pairs: 3}, c)
	if err := r.port.StopTxQueue(soon(t), 2); err != nil {
		t.Fatal(err)
	}
	r.take()
	return r
}

// settled returns everything that a port says of what was set.
func settled(p *Port) string {
	rss, spread := p.RSS()
	hash, hashed := p.Hash()
	text := fmt.Sprint(remembered(p), p.ActivePairs(), rss, spread, hash, hashed, p.InnerHash())
	for _, q := range p.Info().Queues {
		text += fmt.Sprint(q.Name, q.State, q.Size)
	}
	s := &p.device.settings
	s.mu.Lock()
	defer s.mu.Unlock()
	return text + fmt.Sprint(s.coalescing.queues)
}

// A call whose context has ended does nothing, also where it would send no command, and has
// the context's error.
func TestCallsWithAnEndedContext(t *testing.T) {
	r := newCallRig(t, Config{})
	before := settled(r.port)
	own := errors.New("a cause of the caller's own")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(own)
	calls := everyCall()
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		if err := calls[name](ctx, r.port); !errors.Is(err, own) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := r.take(); got != nil {
		t.Errorf("sent %q", got)
	}
	if now := settled(r.port); now != before {
		t.Errorf("%s, want %s", now, before)
	}
}

// A call on a port that has failed has the reason in its error, and on one that was closed,
// failed or not, os.ErrClosed. What describes the port goes on to do so.
func TestCallsOnAPortThatHasEnded(t *testing.T) {
	never := Config{Recovery: Recovery{MaxResets: -1}}
	failed, well := newCallRig(t, never), newCallRig(t, never)
	failed.dev.NeedReset()
	if err := finished(t, failed.port); !errors.Is(err, ErrNeedsReset) {
		t.Fatal(err)
	}
	check := func(p *Port, state string, is error) {
		t.Helper()
		for name, call := range everyCall() {
			var what *Error
			if err := call(soon(t), p); !errors.Is(err, is) || !errors.As(err, &what) || what.Op == "" {
				t.Errorf("%s, %s: %v", state, name, err)
			}
		}
		if info := p.Inspect(); info.State != p.Err().Error() || len(p.ExtendedStats()) == 0 {
			t.Errorf("%s: the state is %q, want %v", state, info.State, p.Err())
		}
	}
	check(failed.port, "failed", ErrNeedsReset)
	for state, r := range map[string]*controlRig{"failed and closed": failed, "closed": well} {
		if err := r.port.Close(); err != nil {
			t.Error(err)
		}
		check(r.port, state, os.ErrClosed)
	}
}

// Whatever is called while pollers send, receive and sleep, and the
// device is reset, no buffer is lost, what the port counts adds up, and each call is carried
// out, refused for a queue that another call has stopped, or was under way when the recovery
// began. What is in force in the end survives the next recovery.
func TestCallsUnderTraffic(t *testing.T) {
	for name, c := range map[string]Config{"packed": withInterrupts(), "split": withInterrupts(virtio.RingPacked)} {
		t.Run(name, func(t *testing.T) {
			c.Recovery, c.Request = eager, rssFeatures.With(virtio.NetHashTunnel)
			c.ControlTimeout, c.Pool = 20*time.Second, newPool(t, mbuf.Config{Count: 8192})
			r := newControlRig(t, vdev.Config{Pairs: 3}, c)
			ctx, stop := context.WithCancel(t.Context())
			var pollers sync.WaitGroup
			defer pollers.Wait()
			defer stop()
			for pair := range 3 {
				pollers.Go(func() { r.sendAndWait(ctx, pair) })
			}
			calls := everyCall()
			delete(calls, "announce") // the device cannot
			var callers sync.WaitGroup
			for name, call := range calls {
				callers.Go(func() {
					var refused *Error
					err := call(soon(t), r.port)
					stopped := errors.As(err, &refused) && refused.Field == "virtqueue"
					if err != nil && !stopped && !errors.Is(err, ErrNeedsReset) {
						t.Errorf("%s: %v", name, err)
					}
				})
			}
			callers.Go(func() {
				for range 20 {
					r.port.Inspect()
					r.port.Path()
				}
			})
			r.dev.NeedReset()
			callers.Wait()
			r.recovered(1)
			checkStatSums(t, r.port.Stats())
			before := settled(r.port)
			r.dev.NeedReset()
			r.recovered(2)
			if now := settled(r.port); now != before {
				t.Errorf("after a recovery: %s, want %s", now, before)
			}
		})
	}
}

// sendAndWait sends on a pair what it receives there, and sleeps when that is nothing.
func (r *rig) sendAndWait(ctx context.Context, pair int) {
	rx, tx, bufs := r.port.RxQueue(pair), r.port.TxQueue(pair), make([]*mbuf.Buf, 32)
	for ctx.Err() == nil {
		n := rx.Burst(bufs)
		if n == 0 {
			n = r.port.Pool().Get(bufs[:rand.IntN(4)])
			for _, b := range bufs[:n] {
				b.Append(60)
			}
		}
		mbuf.Free(bufs[tx.Burst(bufs[:n]):n])
		if n == 0 {
			short, cancel := context.WithTimeout(ctx, time.Millisecond)
			_ = rx.Wait(short)
			cancel()
		}
		r.wire.deliver(pair, frametest.Seq(pair, 60))
		tx.Reclaim()
	}
}
