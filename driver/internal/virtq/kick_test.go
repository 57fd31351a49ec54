package virtq

import (
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// TestReceiveKick posts buffers that the device asked to be notified of: while
// packets come in, the doorbell may wait, but not beyond the first empty poll.
func TestReceiveKick(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		for _, features := range [][]virtio.Feature{nil, feats(virtio.RingEventIdx)} {
			r := newRxRig(t, setup{packed: packed, size: 256, features: features})
			r.bell.rings = nil
			all := r.popAll()
			r.dev.want(true)
			for i, l := range all[:40] {
				r.deliver(l, frametest.Seq(i, 60))
			}
			r.dev.flush()
			bufs := make([]*mbuf.Buf, 64)
			n := r.rx.Burst(bufs[:32])
			n += r.rx.Burst(bufs[n:])
			if n != 40 || r.rx.Posted() != 248 {
				t.Fatalf("%d packets, %d posted", n, r.rx.Posted())
			}
			for range 5 {
				r.rx.Burst(bufs[n:])
			}
			if len(r.bell.rings) != 1 {
				t.Errorf("%s: %d doorbells after an empty poll, want 1", r.setup, len(r.bell.rings))
			}
			r.cache.Put(bufs[:n])
			for _, l := range all[40:] {
				r.deliver(l, frametest.Seq(0, 60))
			}
			r.dev.flush()
			r.starve()
			r.ok()
		}
	})
}

// starve takes every buffer away from the device, and gives it one burst: the
// doorbell must ring in the burst that posts again.
func (r *rig) starve() {
	r.t.Helper()
	bufs := make([]*mbuf.Buf, r.pool.Size())
	hoard := r.pool.Get(bufs) // nothing to refill with, but what is in the cache
	r.cache.Flush()
	hoard += r.pool.Get(bufs[hoard:])
	got := make([]*mbuf.Buf, 32)
	for r.useAll(frametest.Seq(0, 60)) > 0 {
		for n := r.rx.Burst(got); n > 0; n = r.rx.Burst(got) {
			hoard += copy(bufs[hoard:], got[:n])
		}
	}
	if r.rx.Posted() != 0 || r.rx.Stats().NoMbuf.Load() == 0 {
		r.t.Fatalf("%d posted, NoMbuf %d", r.rx.Posted(), r.rx.Stats().NoMbuf.Load())
	}
	r.conserved(hoard)
	r.dev.want(true)
	before := len(r.bell.rings)
	mbuf.Free(bufs[:hoard])
	r.rx.Burst(got)
	if len(r.bell.rings) != before+1 {
		r.t.Errorf("%s: %d doorbells for a device without buffers", r.setup,
			len(r.bell.rings)-before)
	}
}

// TestKickRace is the litmus test of split/notify/1 and packed/notify/1. The
// driver publishes a packet and reads whether a doorbell is wanted, while the
// device asks for one and reads whether there is a packet. One of them must see
// the other. Without the full barrier in the driver they do, about once in a
// thousand rounds where two processors are free.
func TestKickRace(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		r := newTxRig(t, setup{packed: packed, size: 256, bufs: 1024})
		const rounds = 30000 / under
		var ring atomic.Int64
		r.tx.Start(countingBell{&ring}, 3)
		r.dev.want(false)
		var start, sent, done atomic.Int64
		missed := make([]bool, rounds) // the device saw no packet
		go func() {
			for n := range int64(rounds) {
				await(&start, n+1)
				r.dev.want(true)
				l, ok := r.dev.pop()
				missed[n] = !ok
				await(&sent, n+1) // it would sleep, and keep asking for a doorbell
				if !ok {
					l, _ = r.dev.pop()
				}
				r.dev.want(false)
				r.dev.push(l.id, 0, l.slots)
				r.dev.flush()
				done.Store(n + 1)
			}
		}()
		for n := range int64(rounds) {
			before := ring.Load()
			packet := r.packets(1, 64)
			start.Store(n + 1)
			for range n % 200 { // at another moment each time
				start.Load()
			}
			if r.tx.Burst(packet) != 1 {
				t.Fatal("not taken")
			}
			sent.Store(n + 1)
			await(&done, n+1)
			if missed[n] && ring.Load() == before {
				t.Fatalf("round %d: the device sleeps and was not woken", n)
			}
		}
		r.ok()
	})
}

// await spins until n is reached, and lets others run now and then.
func await(counter *atomic.Int64, n int64) {
	for tries := 1; counter.Load() < n; tries++ {
		if tries%10000 == 0 {
			runtime.Gosched()
		}
	}
}

type countingBell struct{ n *atomic.Int64 }

func (b countingBell) Ring(uint32) { b.n.Add(1) }
