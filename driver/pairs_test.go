package driver

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// net/mq/2, net/mq/4: the active pairs carry packets both ways, the others take none for
// transmission, and what those had taken was sent before. It is the same after a recovery.
func TestSetQueuePairs(t *testing.T) {
	for name, c := range map[string]Config{"packed": {}, "split": refuse(virtio.RingPacked)} {
		t.Run(name, func(t *testing.T) {
			c.Queues, c.Recovery = 4, eager
			r := newRig(t, functionWith(vdev.Config{Pairs: 4}), c)
			for i, pairs := range []int{2, 4, 1, 3, 3} {
				for pair := range r.port.ActivePairs() { // some are still in the rings
					r.fill(pair, frametest.Series(0, 20, 60))
				}
				r.dev.Start()
				if err := r.port.SetQueuePairs(t.Context(), pairs); err != nil {
					t.Fatal(err)
				}
				if r.port.ActivePairs() != pairs || r.dev.ActivePairs() != pairs || r.port.Queues() != 4 {
					t.Fatalf("%d of %d pairs are active, %d for the device", r.port.ActivePairs(), r.port.Queues(), r.dev.ActivePairs())
				}
				for pair := pairs; pair < 4; pair++ {
					if posted := r.port.Stats().Queues[pair].Tx.Posted; posted != 0 {
						t.Errorf("pair %d: %d packets are not sent yet", pair, posted)
					}
					bufs := []*mbuf.Buf{newFrame(t, r.port.Pool())}
					if r.port.TxQueue(pair).Burst(bufs) != 0 || r.port.TxQueue(pair).Reclaim() != 0 {
						t.Errorf("pair %d takes packets", pair)
					}
					mbuf.Free(bufs)
				}
				if i == 2 {
					if lost := r.port.Stats().TxLost; lost != 0 {
						t.Errorf("%d packets are lost", lost)
					}
					r.dev.NeedReset()
					r.recovered(1)
				}
				r.dev.Stop()
				if r.port.ActivePairs() != pairs || r.dev.ActivePairs() != pairs {
					t.Errorf("%d pairs are active, %d for the device", r.port.ActivePairs(), r.dev.ActivePairs())
				}
				for pair := range pairs {
					r.carriesOn(pair)
				}
			}
		})
	}
}

// fill transmits frames and leaves them in the ring.
func (r *rig) fill(pair int, frames [][]byte) {
	r.t.Helper()
	bufs := make([]*mbuf.Buf, len(frames))
	if r.port.Pool().Get(bufs) != len(bufs) {
		r.t.Fatal("the pool is empty")
	}
	for i, b := range bufs {
		frametest.Fill(r.t, b, frames[i])
	}
	if r.port.TxQueue(pair).Burst(bufs) != len(bufs) {
		r.t.Fatalf("pair %d does not take the packets", pair)
	}
}

// Packets that are in a receive queue when its pair becomes inactive can still be
// received.
func TestReceiveFromAnInactivePair(t *testing.T) {
	r := newRig(t, functionWith(vdev.Config{Pairs: 2}), Config{Queues: 2})
	sent := frametest.Series(0, 50, 60, 1514)
	r.wire.deliver(1, sent...)
	r.settle()
	r.dev.Start()
	err := r.port.SetQueuePairs(t.Context(), 1)
	r.dev.Stop()
	if err != nil {
		t.Fatal(err)
	}
	frametest.Equal(t, r.receive(1), sent)
}

// What cannot be is refused before a command is sent.
func TestSetQueuePairsRefused(t *testing.T) {
	r := newRig(t, functionWith(vdev.Config{Pairs: 8}), Config{Queues: 4})
	r.dev.Start()
	defer r.dev.Stop()
	commands := r.dev.QueueStats(2 * 8).Chains
	var bad *Error
	for _, n := range []int{0, -1, 5, 8, 1 << 40} {
		if err := r.port.SetQueuePairs(t.Context(), n); !errors.As(err, &bad) || bad.Value != n || bad.Remedy == "" {
			t.Errorf("%d pairs: %v", n, err)
		}
	}
	if err := r.port.StopTxQueue(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := r.port.SetQueuePairs(t.Context(), 2); !errors.As(err, &bad) || bad.Field != "virtqueue" || bad.Value != 3 {
		t.Errorf("a pair with a stopped queue: %v", err)
	}
	if err := r.port.SetQueuePairs(t.Context(), 4); err != nil {
		t.Errorf("as many as there are: %v", err)
	}
	if got := r.dev.QueueStats(2 * 8).Chains; got != commands {
		t.Errorf("%d commands were sent", got-commands)
	}
	if err := r.port.SetQueuePairs(t.Context(), 1); err != nil {
		t.Error(err)
	}
}

// A port with one pair has one, and needs no command for that.
func TestSetQueuePairsOfOne(t *testing.T) {
	r := newRig(t, functionWith(vdev.Config{}), Config{})
	if err := r.port.SetQueuePairs(t.Context(), 1); err != nil || r.port.ActivePairs() != 1 {
		t.Errorf("%d pairs, %v", r.port.ActivePairs(), err)
	}
	var bad *Error
	if err := r.port.SetQueuePairs(t.Context(), 2); !errors.As(err, &bad) || bad.Value != 2 {
		t.Errorf("error is %v", err)
	}
}

// A device that refuses the command goes on with the pairs it had. When it has not
// answered before the context ends, only pairs that are active in either case transmit; the
// next command settles it.
func TestSetQueuePairsFails(t *testing.T) {
	for name, c := range map[string]struct {
		fault vdev.CtrlFault
		is    error
		after int // pairs, of 4, after 2 were asked for
	}{
		"refused":   {vdev.CtrlRefuse, ErrRefused, 4},
		"no answer": {vdev.CtrlSilent, context.Canceled, 2},
		"late":      {vdev.CtrlLate, context.Canceled, 2},
	} {
		t.Run(name, func(t *testing.T) {
			// With IN_ORDER a device cannot leave one command unanswered and go on.
			r := newRig(t, functionWith(vdev.Config{Pairs: 4, Refuse: virtio.FeatureSet(virtio.InOrder)}),
				Config{Queues: 4})
			r.dev.Start()
			defer r.dev.Stop()
			r.dev.SetFaults(vdev.Faults{Ctrl: c.fault, CtrlTimes: 1})
			ctx, before := soon(t), r.dev.QueueStats(2*4).Chains
			if c.is == context.Canceled {
				ctx = until(t, func() bool { return r.dev.QueueStats(2*4).Chains > before })
			}
			if err := r.port.SetQueuePairs(ctx, 2); !errors.Is(err, c.is) {
				t.Errorf("error is %v", err)
			}
			for pair := range 4 {
				bufs := []*mbuf.Buf{newFrame(t, r.port.Pool())}
				if n := r.port.TxQueue(pair).Burst(bufs); n == 1 != (pair < c.after) {
					t.Errorf("pair %d took %d packets", pair, n)
				} else {
					mbuf.Free(bufs[n:])
				}
			}
			r.dev.SetFaults(vdev.Faults{})
			for _, pairs := range []int{c.after, 3, 4} { // first the number that may be in force
				if err := r.port.SetQueuePairs(t.Context(), pairs); err != nil {
					t.Error(err)
				}
				if now := r.dev.ActivePairs(); now != pairs {
					t.Errorf("the device uses %d pairs, want %d", now, pairs)
				}
			}
			r.dev.Stop()
			for pair := range 4 {
				r.carriesOn(pair)
			}
			r.dev.Start()
		})
	}
}

// Where a hash takes a second command, and the device refuses that one, it is set back to
// what it was; if it refuses that as well, no pair transmits that it may not use.
func TestSetQueuePairsHalfRefused(t *testing.T) {
	r := rssRig(t, hashFeatures, vdev.Config{}, Config{})
	for _, c := range []struct{ before, want, refusals, after int }{{4, 2, 1, 4}, {2, 4, 1, 2}, {4, 2, 2, 2}, {2, 4, 2, 2}} {
		if err := r.port.SetQueuePairs(t.Context(), c.before); err != nil {
			t.Fatal(err)
		}
		r.dev.SetFaults(vdev.Faults{Ctrl: vdev.CtrlRefuse, CtrlAfter: 1, CtrlTimes: c.refusals})
		if err := r.port.SetQueuePairs(t.Context(), c.want); !errors.Is(err, ErrRefused) {
			t.Errorf("%+v: error is %v", c, err)
		}
		r.dev.SetFaults(vdev.Faults{})
		if now := r.port.ActivePairs(); now != c.after || c.refusals == 1 && now != r.dev.ActivePairs() {
			t.Errorf("%+v: %d pairs are active, %d for the device", c, now, r.dev.ActivePairs())
		}
		if err := r.port.SetQueuePairs(t.Context(), c.after); err != nil || r.dev.ActivePairs() != c.after {
			t.Errorf("%+v: then %d for the device, %v", c, r.dev.ActivePairs(), err)
		}
		if _, on := r.port.Hash(); !on {
			t.Errorf("%+v: there is no hash", c)
		}
	}
}

// Pairs change while each is polled by a goroutine of its own, which sends all the time:
// no buffer is lost, and the device sees nothing on an inactive pair.
func TestSetQueuePairsUnderTraffic(t *testing.T) {
	for name, c := range map[string]Config{"packed": {}, "split": refuse(virtio.RingPacked),
		"packed, RSS": {Require: rssFeatures}} {
		t.Run(name, func(t *testing.T) {
			c.Queues, c.Pool = 4, newPool(t, mbuf.Config{Count: 8192})
			r := newRig(t, functionWith(vdev.Config{Pairs: 4}), c)
			r.dev.Start()
			defer r.dev.Stop()
			var stop atomic.Bool
			var pollers sync.WaitGroup
			defer pollers.Wait()
			defer stop.Store(true)
			for pair := range 4 {
				pollers.Go(func() { r.keepSending(pair, &stop) })
			}
			for round := range 30 {
				for _, pairs := range []int{2, 4, 1, 3, 4} {
					if err := r.port.SetQueuePairs(t.Context(), pairs); err != nil {
						t.Fatal(err)
					}
				}
				if round%10 == 0 { // all go on
					before := r.port.Stats()
					await(t, "all pairs transmit", func() bool {
						for i, q := range r.port.Stats().Queues {
							if q.Tx.Packets == before.Queues[i].Tx.Packets {
								return false
							}
						}
						return true
					})
				}
			}
			if s := r.port.Stats(); s.Resets != 0 || s.TxErrors != 0 {
				t.Errorf("%d recoveries, %d errors", s.Resets, s.TxErrors)
			}
		})
	}
}

// keepSending polls a pair, with a cache that both of its queues share, until stop says so.
func (r *rig) keepSending(pair int, stop *atomic.Bool) {
	cache := r.port.Pool().NewCache(64)
	if r.port.RxQueue(pair).SetCache(cache) != nil || r.port.TxQueue(pair).SetCache(cache) != nil {
		r.t.Error("the queues do not take a cache")
	}
	bufs := make([]*mbuf.Buf, 8)
	for !stop.Load() {
		n := cache.Get(bufs)
		for _, b := range bufs[:n] {
			frametest.Fill(r.t, b, frametest.Seq(pair, 60))
		}
		sent := r.port.TxQueue(pair).Burst(bufs[:n])
		cache.Put(bufs[sent:n])
		cache.Put(bufs[:r.port.RxQueue(pair).Burst(bufs)])
		r.wire.transmitted(pair)
	}
	if r.port.RxQueue(pair).SetCache(nil) != nil || r.port.TxQueue(pair).SetCache(nil) != nil {
		r.t.Error("the queues do not give the cache up")
	}
	cache.Close()
}
