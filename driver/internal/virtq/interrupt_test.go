package virtq

import (
	"sync/atomic"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// interruptKinds are the features that decide how an interrupt is asked for.
var interruptKinds = [][]virtio.Feature{nil, feats(virtio.RingEventIdx), feats(virtio.RingEventIdx, virtio.InOrder)}

// split/used-suppress/1, split/used-suppress/3, x/packed/driver-event: a queue that is polled is
// not interrupted for, one that was armed is for the next buffer, and after Disarm it is not
// again. The indices pass the end of the ring and of their range.
func TestArm(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		for _, features := range interruptKinds {
			for _, size := range []int{1, 2, 64} {
				s := setup{packed: packed, size: size, features: features, start: 65530}
				r := newRxRig(t, s)
				bufs := make([]*mbuf.Buf, size)
				receive := func() {
					t.Helper()
					n := r.rx.Burst(bufs)
					if n != 1 {
						t.Fatalf("%s: %d packets", s, n)
					}
					mbuf.Free(bufs[:n])
				}
				deliver := func(i int) {
					l, ok := r.dev.pop()
					if !ok {
						t.Fatalf("%s: the device has no buffer", s)
					}
					r.deliver(l, frametest.Seq(i, 60))
					r.dev.flush()
				}
				for i := range 150 {
					before := r.dev.interrupts()
					deliver(i)
					if r.dev.interrupts() != before {
						t.Fatalf("%s: round %d: an interrupt for a queue that is polled", s, i)
					}
					if r.rx.Arm() {
						t.Fatalf("%s: round %d: to sleep, with a packet there", s, i)
					}
					if !r.rx.Disarm() {
						t.Fatalf("%s: round %d: nothing used, with a packet there", s, i)
					}
					receive()
					if !r.rx.Arm() {
						t.Fatalf("%s: round %d: something to do in an empty queue", s, i)
					}
					before = r.dev.interrupts()
					deliver(i)
					if r.dev.interrupts() != before+1 {
						t.Fatalf("%s: round %d: no interrupt for a queue that was armed", s, i)
					}
					if !r.rx.Disarm() {
						t.Fatalf("%s: round %d: nothing used after an interrupt", s, i)
					}
					receive()
				}
				r.ok()
			}
		}
	})
}

// A queue that stays silent is armed and disarmed again and again; the next packet interrupts.
func TestArmAgain(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		for _, features := range interruptKinds {
			r := newRxRig(t, setup{packed: packed, size: 8, features: features})
			for range 5 {
				if !r.rx.Arm() || r.rx.Disarm() {
					t.Fatal("a packet that is not there")
				}
				r.rx.Overslept()
			}
			if !r.rx.Arm() {
				t.Fatal("a packet that is not there")
			}
			l, _ := r.dev.pop()
			r.deliver(l, frametest.Seq(0, 60))
			r.dev.flush()
			if n := r.dev.interrupts(); n != 1 {
				t.Errorf("%s: %d interrupts", r.setup, n)
			}
			r.ok()
		}
	})
}

// A sleeper rings the doorbell of a device that may have missed it, as often as a poller.
func TestOverslept(t *testing.T) {
	r := newRxRig(t, setup{size: 8})
	r.dev.want(false)
	for range 9 {
		r.rx.Overslept()
	}
	if n := r.rx.Stats().Rekicks.Load(); n != 1 {
		t.Errorf("%d doorbells", n)
	}
}

// Arm posts the buffers that were missing, and tells the device.
func TestArmRefills(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		r := newRxRig(t, setup{packed: packed, size: 64})
		r.dev.want(true)
		bufs := make([]*mbuf.Buf, r.pool.Size())
		held := r.pool.Get(bufs)
		r.cache.Flush()
		held += r.pool.Get(bufs[held:])
		r.useAll(frametest.Seq(0, 60))
		got := make([]*mbuf.Buf, 64)
		n := r.rx.Burst(got)
		if !r.rx.Arm() || !r.rx.Starved() {
			t.Fatalf("%d posted", r.rx.Posted())
		}
		r.rx.Disarm()
		mbuf.Free(got[:n])
		mbuf.Free(bufs[:held])
		rings := len(r.bell.rings)
		if !r.rx.Arm() || r.rx.Starved() || len(r.bell.rings) != rings+1 {
			t.Errorf("%d posted, %d doorbells", r.rx.Posted(), len(r.bell.rings)-rings)
		}
		r.ok()
	})
}

// x/split/rearm, x/packed/rearm: TestRearmRace is the litmus test of interrupts, as
// TestKickRace is of doorbells. The driver asks for an interrupt and reads whether there is a
// packet, while the device publishes one and reads whether an interrupt is wanted. One of them
// must see the other.
func TestRearmRace(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		for _, features := range interruptKinds[:2] {
			r := newRxRig(t, setup{packed: packed, size: 256, features: features})
			const rounds = 4000 / under
			var ready, start, delivered atomic.Int64
			var interrupts atomic.Int64
			frame := frametest.Seq(0, 60)
			go func() {
				for n := range int64(rounds) {
					l, ok := r.dev.pop()
					if !ok {
						t.Errorf("round %d: no buffer", n)
						ready.Store(rounds)
						delivered.Store(rounds)
						return
					}
					r.deliver(l, frame)
					ready.Store(n + 1)
					await(&start, n+1)
					r.dev.flush()
					interrupts.Store(int64(r.dev.interrupts()))
					delivered.Store(n + 1)
				}
			}()
			bufs := make([]*mbuf.Buf, 4)
			slept := 0
			for n := range int64(rounds) {
				await(&ready, n+1)
				before := interrupts.Load()
				start.Store(n + 1)
				for range n % 1000 { // at another moment each time
					start.Load()
				}
				sleep := r.rx.Arm()
				await(&delivered, n+1)
				if sleep {
					slept++
				}
				if sleep && interrupts.Load() == before {
					t.Fatalf("%s: round %d: the driver sleeps and is not interrupted", r.setup, n)
				}
				r.rx.Disarm()
				if got := r.rx.Burst(bufs); got != 1 {
					t.Fatalf("%s: round %d: %d packets", r.setup, n, got)
				}
				mbuf.Free(bufs[:1])
			}
			t.Logf("%s: the driver slept in %d of %d rounds", r.setup, slept, rounds)
			r.ok()
		}
	})
}
