package vdev_test

import (
	"sync"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// eventually polls for something that another goroutine does.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(50 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never happened that %s", what)
		}
	}
}

// A started device falls asleep, and wakes up for a doorbell, for a frame on
// its wire, and for nothing else.
func TestSleepAndWake(t *testing.T) {
	for name, f := range formats() {
		t.Run(name, func(t *testing.T) {
			a, b := wire.Cable()
			g := newGuest(t, vdev.Config{Backend: a, IdleTurns: 2}, 4<<20)
			rx, tx := g.up(f, 16)
			p := newPort(g, 0, 1, rx, tx, 16, 2048)
			g.d.Start()
			g.d.Start() // does nothing
			defer g.d.Stop()
			p.refill()
			frames := make([][]byte, 4)
			for i := range 200 {
				sleeps := g.d.Stats().Sleeps
				if i%50 == 0 {
					eventually(t, "the device sleeps", func() bool { return g.d.Stats().Sleeps > 0 })
				}
				if !p.send(frametest.Varied(i)) {
					eventually(t, "there is room", func() bool { return p.send(frametest.Varied(i)) })
				}
				eventually(t, "a frame goes out", func() bool { return b.Receive(vdev.AnyPair, frames) == 1 })
				b.Transmit(0, frametest.Series(i, 1))
				eventually(t, "a frame comes in", func() bool { return p.recv() != nil })
				p.refill()
				_ = sleeps
			}
			if s := g.d.Stats(); s.RxDropped != 0 || s.TxDropped != 0 {
				t.Errorf("%+v", s)
			}
			g.clean()
		})
	}
}

// Start and Stop may follow each other while a driver works.
func TestStartStop(t *testing.T) {
	g := newGuest(t, vdev.Config{Backend: wire.Gen(64), IdleTurns: 1}, 4<<20)
	rx, tx := g.up(packed.With(virtio.RingEventIdx), 64)
	p := newPort(g, 0, 1, rx, tx, 64, 2048)
	p.refill()
	next := uint64(0)
	for range 50 {
		g.d.Start()
		want := next + 10
		eventually(t, "frames arrive", func() bool {
			for f := p.recv(); f != nil; f = p.recv() {
				if _, n, ok := wire.SeqFrame(f); !ok || n != next {
					t.Fatalf("frame %d, %d expected, whole: %v", n, next, ok)
				}
				next++
			}
			p.refill()
			return next >= want
		})
		g.d.Stop()
		g.d.Stop()
	}
	g.clean()
}

// Registers, memory and statistics may be used while the device works, and a
// reset takes effect at once.
func TestUseWhileRunning(t *testing.T) {
	g := newGuest(t, vdev.Config{Backend: wire.Gen(64)}, 4<<20)
	rx, tx := g.up(split, 64)
	p := newPort(g, 0, 1, rx, tx, 64, 2048)
	p.refill()
	g.d.Start()
	var wg sync.WaitGroup
	for _, use := range []func(){
		func() { g.d.Stats() },
		func() { g.d.SetLink(false); g.d.SetLink(true) },
		func() { g.d.Violations() },
		func() { g.d.QueueStats(0) },
		func() {
			if err := g.d.MapMemory(1<<40, g.mem[:4096]); err != nil {
				t.Error(err)
			}
			if err := g.d.UnmapMemory(1<<40, 4096); err != nil {
				t.Error(err)
			}
		},
	} {
		wg.Go(func() {
			for range 50 {
				use()
			}
		})
	}
	wg.Wait()
	g.d.SetStatus(0)
	if g.d.Status() != 0 || g.d.Running() {
		t.Error("the reset did not complete")
	}
	n := g.d.Stats().RxFrames
	if g.d.Stop(); g.d.Stats().RxFrames != n {
		t.Error("frames were delivered after a reset")
	}
	g.clean()
}

// Without bus mastering nothing moves.
func TestNoDMA(t *testing.T) {
	s := newSender(t, split, 16)
	s.g.d.SetDMA(false)
	s.add(1)
	if s.g.d.Poll() != 0 {
		t.Error("the device reaches memory")
	}
	s.g.d.SetDMA(true)
	if s.g.d.Poll() != 1 {
		t.Error("the device does not reach memory")
	}
}

// A broken driver cannot make the device crash, hang or write outside the mapped
// memory: the test overwrites bytes of rings and tables between turns.
func FuzzRings(f *testing.F) {
	f.Add(uint8(0), []byte{0, 0, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Add(uint8(1), []byte{16, 0, 255, 255, 255, 255, 0, 0, 0, 0, 1, 0, 1, 0, 5, 5})
	f.Add(uint8(7), []byte{200, 1, 0, 0, 1, 0, 9, 9, 9, 9, 2, 0, 0x82, 0})
	f.Add(uint8(15), []byte{0, 2, 128, 128, 128, 128, 128, 128, 128, 128})
	f.Fuzz(func(t *testing.T, variant uint8, script []byte) {
		features := allFeatures
		for i, feature := range []virtio.Feature{virtio.RingPacked, virtio.RingIndirectDesc, virtio.NetMrgRxbuf, virtio.RingEventIdx, virtio.InOrder} {
			if variant>>i&1 != 0 {
				features = features.With(feature)
			}
		}
		cfg := vdev.Config{Backend: wire.Loop(), Hold: variant>>5&1 != 0, BatchUsed: variant>>6&1 != 0, OutOfOrder: variant&0x90 == 0x80}
		g := newGuest(t, cfg, 1<<16)
		rx, tx := g.up(features, 8)
		rings := g.brk
		p := newPort(g, 0, 1, rx, tx, 8, 512)
		p.refill()
		p.send(make([]byte, 100))
		for len(script) > 10 {
			// An offset, then eight bytes. Most are in the rings, some after them.
			at := int(binaryUint16(script)) % rings
			copy(g.mem[at:], script[2:10])
			script = script[10:]
			for range 3 {
				g.d.Poll()
			}
		}
		running, needsReset := g.d.Running(), g.d.Status().Has(virtio.StatusNeedsReset)
		if running == needsReset {
			t.Errorf("running %v, needs reset %v: %v", running, needsReset, g.d.Violations())
		}
	})
}

func binaryUint16(b []byte) uint16 { return uint16(b[0]) | uint16(b[1])<<8 }
