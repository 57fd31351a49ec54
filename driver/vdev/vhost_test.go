package vdev_test

import (
	"bytes"
	"errors"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

var ringFeatures = virtio.FeatureSet(virtio.Version1, virtio.NetMrgRxbuf)

func eachFormat(t *testing.T, run func(t *testing.T, f virtio.Features, fresh uint16)) {
	t.Run("split", func(t *testing.T) { run(t, ringFeatures, 0) })
	t.Run("packed", func(t *testing.T) { run(t, ringFeatures.With(virtio.RingPacked), 0x8000) })
}

// vhostRing describes a ring of the guest as a transport does.
func (g *guest) vhostRing(q vq, size int, position uint16) vdev.Ring {
	v := vdev.Ring{Size: size, Position: position}
	for a, addr := range q.areas() {
		n := uint64(vdev.AreaSize(g.f.Has(virtio.RingPacked), vdev.Area(a), size))
		v.Areas[a] = g.mem[addr-g.base : addr-g.base+n]
	}
	return v
}

// begin starts a device ring by ring.
func (g *guest) begin(f virtio.Features, size int, position uint16) (rx, tx vq) {
	g.t.Helper()
	g.f = f
	g.v.Begin(f)
	rx, tx = g.newRing(0, size), g.newRing(1, size)
	for i, q := range []vq{rx, tx} {
		if err := g.v.StartRing(i, g.vhostRing(q, size, position)); err != nil {
			g.t.Fatal(err)
		}
		g.v.EnableRing(i, true)
	}
	return rx, tx
}

// Rings that are started one by one carry frames, may be stopped at any time and
// resume where they stopped, also after the memory was mapped again.
func TestRingsStopAndResume(t *testing.T) {
	eachFormat(t, func(t *testing.T, f virtio.Features, fresh uint16) {
		g := newVhostGuest(t, vdev.Config{Backend: wire.Loop(), Hold: true, IdleTurns: 3}, 4<<20)
		const size = 16
		rx, tx := g.begin(f, size, fresh)
		p := newPort(g, 0, 1, rx, tx, size, 2048)
		p.refill()
		g.v.Start()
		var want [][]byte
		deadline := time.Now().Add(time.Minute)
		for got := 0; got < 300; {
			frame := frametest.Varied(len(want))
			if len(want) < 300 && p.send(frame) {
				want = append(want, frame)
			}
			if len(want)%50 == 25 {
				for i, q := range []vq{rx, tx} {
					at := g.v.StopRing(i)
					if err := g.v.Remap([]vdev.Mapping{{Address: guestBase, Memory: g.mem}}, nil); err != nil {
						t.Fatal(err)
					}
					if err := g.v.StartRing(i, g.vhostRing(q, size, at)); err != nil {
						t.Fatal(err)
					}
				}
			}
			runtime.Gosched()
			for b := p.recv(); b != nil; b = p.recv() {
				if !bytes.Equal(b, want[got]) {
					t.Fatalf("frame %d of %d bytes arrived as %d other bytes", got, len(want[got]), len(b))
				}
				got++
			}
			p.refill()
			if time.Now().After(deadline) {
				t.Fatalf("stuck after %d frames, %d sent; %+v, %v", got, len(want), g.v.Stats(), g.v.Violations())
			}
		}
		g.clean()
	})
}

// The frames of a disabled transmitq are used and discarded; a disabled receiveq gets
// none.
func TestDisabledRings(t *testing.T) {
	eachFormat(t, func(t *testing.T, f virtio.Features, fresh uint16) {
		a, b := wire.Cable()
		g := newVhostGuest(t, vdev.Config{Backend: a, Hold: true}, 4<<20)
		rx, tx := g.begin(f, 16, fresh)
		p := newPort(g, 0, 1, rx, tx, 16, 2048)
		p.refill()
		frame := make([]byte, 60)
		g.v.EnableRing(0, false)
		g.v.EnableRing(1, false)
		if !p.send(frame) || b.Transmit(0, [][]byte{frame}) != 1 {
			t.Fatal("not sent")
		}
		for g.v.Poll() > 0 {
		}
		if p.reclaim(); len(p.txBufs) != 0 {
			t.Error("a disabled transmitq was not used up")
		}
		if n := b.Receive(0, make([][]byte, 4)); n != 0 || p.recv() != nil {
			t.Errorf("%d frames left a disabled transmitq, or a disabled receiveq got one", n)
		}
		g.v.EnableRing(0, true)
		g.v.EnableRing(1, true)
		p.send(frame)
		for g.v.Poll() > 0 {
		}
		if n := b.Receive(0, make([][]byte, 4)); n != 1 || p.recv() == nil {
			t.Errorf("enabled rings: %d frames out, or none in", n)
		}
		g.clean()
	})
}

// An invalid ring is refused, and no memory is touched.
func TestInvalidRings(t *testing.T) {
	eachFormat(t, func(t *testing.T, f virtio.Features, fresh uint16) {
		g := newVhostGuest(t, vdev.Config{}, 1<<20)
		g.f = f
		good := g.vhostRing(g.newRing(0, 16), 16, fresh)
		var bad *vdev.Error
		if err := g.v.StartRing(0, good); !errors.As(err, &bad) {
			t.Errorf("before Begin: %v", err)
		}
		g.v.Begin(f)
		short, crooked := good, good
		short.Areas[2] = short.Areas[2][:2]
		crooked.Areas[0] = g.mem[8 : 8+16*16]
		for name, v := range map[string]vdev.Ring{
			"no size": {Areas: good.Areas}, "no areas": {Size: 16}, "short area": short, "misaligned area": crooked,
			"huge": {Size: 65536, Areas: good.Areas},
		} {
			if err := g.v.StartRing(0, v); !errors.As(err, &bad) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := g.v.StartRing(7, good); !errors.As(err, &bad) {
			t.Errorf("queue 7 of a device with one pair: %v", err)
		}
		if err := g.v.StartRing(0, good); err != nil {
			t.Error(err)
		}
	})
}

// Memory that its owner removes stops the device; the program and the other end of
// the cable go on.
func TestMemoryRemoved(t *testing.T) {
	eachFormat(t, func(t *testing.T, f virtio.Features, fresh uint16) {
		fd, err := unix.MemfdCreate("vring", 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		const half = 1 << 20
		if err := unix.Ftruncate(fd, 2*half); err != nil {
			t.Fatal(err)
		}
		mem, err := unix.Mmap(fd, 0, 2*half, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Munmap(mem)
		a, b := wire.Cable()
		g := newVhostGuest(t, vdev.Config{Backend: a}, 4096)
		g.mem = mem[:half]
		if err := g.v.Remap([]vdev.Mapping{{Address: guestBase, Memory: mem}}, nil); err != nil {
			t.Fatal(err)
		}
		_, tx := g.begin(f, 16, fresh)
		header, _ := g.alloc(virtio.NetHeaderLen, 4)
		if _, ok := tx.add(false, piece{header, virtio.NetHeaderLen, false}, piece{guestBase + half, 60, false}); !ok {
			t.Fatal("no room")
		}
		tx.publish()
		if err := unix.Ftruncate(fd, half); err != nil {
			t.Fatal(err)
		}
		debug.SetPanicOnFault(true)
		defer debug.SetPanicOnFault(false)
		g.v.Poll()
		v, failed := g.v.Failure()
		if !failed || !strings.Contains(v.Rule, "fault") || g.v.Running() {
			t.Errorf("failure %v %v, running %v", v, failed, g.v.Running())
		}
		frame := [][]byte{make([]byte, 60)}
		if b.Transmit(0, frame) != 1 || b.Receive(0, make([][]byte, 1)) != 0 {
			t.Error("the other end of the cable is stuck")
		}
		g.v.End()
	})
}
