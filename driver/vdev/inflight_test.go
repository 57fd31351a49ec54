package vdev_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// tape is a wire that outlives the device: it has the frames to receive, and remembers
// those that were transmitted.
type tape struct {
	in, out [][]byte
}

func (*tape) Attach(func()) error { return nil }
func (*tape) Traits() vdev.Traits { return vdev.Traits{Lossless: true} }
func (*tape) Close() error        { return nil }

func (w *tape) Transmit(_ int, frames [][]byte) int {
	for _, f := range frames {
		w.out = append(w.out, bytes.Clone(f))
	}
	return len(frames)
}

func (w *tape) Receive(_ int, frames [][]byte) int {
	n := copy(frames, w.in)
	w.in = w.in[n:]
	return n
}

// mortal is a driver whose device is killed in the middle of its work, and replaced by
// another one that has the record of the first.
type mortal struct {
	t        testing.TB
	wire     *tape
	cfg      vdev.Config
	f        virtio.Features
	size     int
	g        *guest
	p        *port
	rings    [2]vq
	inflight [2][]byte
	stores   int                   // how many there were
	killed   func(stores int) bool // reports whether the device ends before a store
	deaths   int
	sent     [][]byte
	received [][]byte
}

func (m *mortal) start() {
	m.t.Helper()
	mem := mapping(m.t, 1<<20)
	m.wire = &tape{}
	m.cfg.Backend, m.cfg.Hold, m.cfg.Burst = m.wire, true, 4
	m.g = &guest{t: m.t, irq: new(lines), base: guestBase, qs: make(map[int]vq), mem: mem, f: m.f}
	m.rings = [2]vq{m.g.newRing(0, m.size), m.g.newRing(1, m.size)}
	for i := range m.inflight {
		n := vdev.InflightSize(m.f.Has(virtio.RingPacked), m.size)
		_, m.inflight[i] = m.g.alloc(n, 64)
	}
	m.p = newPort(m.g, 0, 1, m.rings[0], m.rings[1], m.size, 128)
	for !m.newDevice() {
	}
}

func mapping(t testing.TB, size int) []byte {
	t.Helper()
	mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Munmap(mem) })
	return mem
}

// newDevice makes a device, which knows nothing of the one before but its record. It
// returns false if it was killed while it started.
func (m *mortal) newDevice() bool {
	m.t.Helper()
	d, err := vdev.NewVhost(m.cfg, m.g.irq)
	if err != nil {
		m.t.Fatal(err)
	}
	m.g.v = d
	if err := d.Remap([]vdev.Mapping{{Address: guestBase, Memory: m.g.mem}}, nil); err != nil {
		m.t.Fatal(err)
	}
	d.CrashAt(func() {
		if m.stores++; m.killed(m.stores) {
			panic("killed")
		}
	})
	d.Begin(m.f)
	var fresh uint16
	if m.f.Has(virtio.RingPacked) {
		fresh = 1 << 15
	}
	for i, q := range m.rings {
		r := m.g.vhostRing(q, m.size, fresh)
		r.Inflight = m.inflight[i]
		if err := d.StartRing(i, r); err != nil {
			if m.dead() {
				return false
			}
			m.t.Fatalf("after %d deaths, %d stores: %v", m.deaths, m.stores, err)
		}
		d.EnableRing(i, true)
	}
	return true
}

// dead reports whether the device was killed. A failure of another kind fails the test.
func (m *mortal) dead() bool {
	m.t.Helper()
	v, failed := m.g.v.Failure()
	if failed && v.Rule != "x/device/panic" {
		m.t.Fatalf("after %d deaths, %d stores: %v", m.deaths, m.stores, v)
	}
	if failed {
		m.deaths++
	}
	return failed
}

// work lets the device work until nothing is left to do. The frames that a device has
// taken from the wire are gone with it.
func (m *mortal) work() {
	m.t.Helper()
	for {
		n := m.g.v.Poll()
		switch {
		case !m.g.v.Running():
			if !m.dead() {
				m.t.Fatal("the device has ended")
			}
			for !m.newDevice() {
			}
		case n == 0:
			return
		}
	}
}

// round sends some frames each way.
func (m *mortal) round(n int) {
	m.t.Helper()
	for range n {
		f := frametest.Varied(len(m.sent))
		if f = f[:min(len(f), 100)]; m.p.send(f) {
			m.sent = append(m.sent, f)
		}
	}
	m.p.refill()
	for range n {
		f := frametest.Varied(len(m.received) + len(m.wire.in) + 1000)
		m.wire.in = append(m.wire.in, f[:min(len(f), 100)])
	}
	m.work()
	for f := m.p.recv(); f != nil; f = m.p.recv() {
		m.received = append(m.received, f)
	}
	m.work()
	m.p.reclaim()
}

// check expects that every frame that was sent is on the wire, in order, and that the
// device has returned every buffer.
func (m *mortal) check() {
	m.t.Helper()
	rest := m.wire.out
	for i, f := range m.sent {
		at := slices.IndexFunc(rest, func(o []byte) bool { return bytes.Equal(o, f) })
		if at < 0 {
			m.t.Fatalf("frame %d of %d was lost (%d deaths, killed at store %d)", i, len(m.sent), m.deaths, m.stores)
		}
		// Frames of a batch may be transmitted again as a whole.
		rest = rest[max(at-m.cfg.Burst, 0):]
	}
	if n := len(m.p.txBufs); n != 0 {
		m.t.Fatalf("%d transmitted buffers did not come back", n)
	}
	m.p.refill()
	posted := len(m.p.rxBufs)
	for range posted + 4*m.cfg.Burst { // some may be lost on the wire's account, see work
		m.wire.in = append(m.wire.in, make([]byte, 60))
	}
	m.work()
	for f := m.p.recv(); f != nil; f = m.p.recv() {
	}
	if n := len(m.p.rxBufs); n != 0 {
		m.t.Fatalf("%d of %d receive buffers did not come back (%d deaths, %d stores)", n, posted, m.deaths, m.stores)
	}
	m.g.clean0()
}

// clean0 expects no violations but the deaths.
func (g *guest) clean0() {
	g.t.Helper()
	for _, v := range g.violations() {
		if v.Rule != "x/device/panic" {
			g.t.Fatalf("the device recorded %v", v)
		}
	}
}

// mortals are the ways in which buffers are made available and used.
func mortals() map[string]mortal {
	all := make(map[string]mortal)
	for format, f := range map[string]virtio.Features{"split": ringFeatures, "packed": ringFeatures.With(virtio.RingPacked)} {
		all[format] = mortal{f: f}
		all[format+", out of order"] = mortal{f: f, cfg: vdev.Config{OutOfOrder: true}}
		all[format+", indirect"] = mortal{f: f.With(virtio.RingIndirectDesc)}
		all[format+", IN_ORDER"] = mortal{f: f.With(virtio.InOrder)}
		all[format+", IN_ORDER, batches"] = mortal{f: f.With(virtio.InOrder), cfg: vdev.Config{BatchUsed: true}}
		all[format+", events"] = mortal{f: f.With(virtio.RingEventIdx)}
	}
	return all
}

// The device is killed before each of its stores in turn, once or at every so many, the
// ones it makes while it takes over included. Another one goes on with the record: no
// frame is lost, and every buffer comes back once.
func TestKilledAtEveryStore(t *testing.T) {
	for name, m := range mortals() {
		t.Run(name, func(t *testing.T) {
			for _, pieces := range []int{1, 3} {
				points := 0
				for k := 1; ; k++ {
					m := m
					m.t, m.size = t, 8
					m.killed = func(n int) bool { return n == k }
					m.start()
					m.p.pieces, m.p.indirect = pieces, m.f.Has(virtio.RingIndirectDesc)
					for n := range 4 {
						m.round(1 + n%4)
					}
					m.check()
					if m.deaths == 0 {
						break
					}
					points++
				}
				if points < 100 {
					t.Errorf("only %d points", points)
				}
			}
		})
	}
}

// The same with any number of deaths, sizes and loads.
func TestKilledOverAndOver(t *testing.T) {
	all := mortals()
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	rapid.Check(t, func(r *rapid.T) {
		m := all[rapid.SampledFrom(names).Draw(r, "kind")]
		m.t = t
		m.size = rapid.SampledFrom([]int{4, 8, 16}).Draw(r, "size")
		if m.f.Has(virtio.RingPacked) {
			m.size = rapid.IntRange(3, 20).Draw(r, "packed size")
		}
		every := rapid.IntRange(40, 300).Draw(r, "every")
		seed := rapid.Uint64().Draw(r, "seed")
		random := rand.New(rand.NewPCG(seed, 1))
		m.killed = func(int) bool { return random.IntN(every) == 0 }
		m.start()
		m.p.pieces = rapid.IntRange(1, 3).Draw(r, "pieces")
		m.p.indirect = m.f.Has(virtio.RingIndirectDesc)
		for range 12 {
			m.round(rapid.IntRange(0, m.size).Draw(r, "frames"))
		}
		m.killed = func(int) bool { return false }
		m.work()
		m.p.reclaim()
		m.check()
	})
}

// A record full of garbage is refused or survived, whatever it says.
func FuzzInflight(f *testing.F) {
	f.Add(false, uint8(3), []byte{1, 2, 3, 4, 5, 6, 7, 8})
	f.Add(true, uint8(20), []byte{0, 0, 0, 0, 1, 0, 8, 0, 255, 255, 0, 0, 3, 0, 2, 0, 1, 1})
	f.Fuzz(func(t *testing.T, packed bool, rounds uint8, patch []byte) {
		features := ringFeatures
		if packed {
			features = features.With(virtio.RingPacked)
		}
		m := mortal{t: t, f: features, size: 8, killed: func(int) bool { return false }}
		m.start()
		for range rounds % 16 {
			m.round(2)
		}
		for len(patch) >= 10 { // where and eight bytes
			for _, b := range m.inflight {
				at := int(binaryUint16(patch)) % (len(b) - 8)
				copy(b[at:], patch[2:10])
			}
			patch = patch[10:]
		}
		d, err := vdev.NewVhost(m.cfg, m.g.irq)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Remap([]vdev.Mapping{{Address: guestBase, Memory: m.g.mem}}, nil); err != nil {
			t.Fatal(err)
		}
		d.Begin(m.f)
		for i, q := range m.rings {
			r := m.g.vhostRing(q, m.size, 0)
			r.Inflight, r.Kept = m.inflight[i], i == 0
			_ = d.StartRing(i, r) // which of them is refused does not matter
			d.EnableRing(i, true)
		}
		m.wire.in = append(m.wire.in, make([]byte, 60), make([]byte, 60))
		for range 20 {
			d.Poll()
		}
		if v, failed := d.Failure(); failed && v.Rule == "x/device/panic" {
			t.Fatal(v)
		}
	})
}

// A record that belongs to another ring, or to none, is refused with the reason.
func TestRecordOfAnotherRing(t *testing.T) {
	for name, m := range mortals() {
		t.Run(name, func(t *testing.T) {
			m.t, m.size, m.killed = t, 8, func(int) bool { return false }
			m.start()
			m.round(3)
			for what, spoil := range map[string]func(b []byte){
				"version": func(b []byte) { b[8] = 2 },
				"size":    func(b []byte) { b[10]++ },
				"idx":     func(b []byte) { b[14] ^= 0x55; b[16] = 200; b[18] = 200 },
			} {
				b := bytes.Clone(m.inflight[0])
				region := mapping(t, 4096)[:len(b)]
				copy(region, b)
				spoil(region)
				d, err := vdev.NewVhost(m.cfg, m.g.irq)
				if err != nil {
					t.Fatal(err)
				}
				d.Begin(m.f)
				r := m.g.vhostRing(m.rings[0], m.size, 0)
				r.Inflight = region
				if err := d.StartRing(0, r); err == nil {
					t.Errorf("%s: accepted", what)
				}
			}
		})
	}
}

// The numbers that OutOfOrder picks by vary, and are those of the ring.
func TestOutOfOrderVaries(t *testing.T) {
	for name, f := range map[string]virtio.Features{"split": ringFeatures, "packed": ringFeatures.With(virtio.RingPacked)} {
		t.Run(name, func(t *testing.T) {
			orders := make(map[string]bool)
			var runs [2][]byte
			for run := range runs {
				m := mortal{t: t, f: f, size: 8, cfg: vdev.Config{OutOfOrder: true}, killed: func(int) bool { return false }}
				m.start()
				for range 8 {
					var burst []byte
					for range 4 {
						addr, _ := m.g.alloc(80, 8)
						m.rings[1].add(false, piece{addr, 80, false})
					}
					m.rings[1].publish()
					m.work()
					for id, _, ok := m.rings[1].take(); ok; id, _, ok = m.rings[1].take() {
						burst = append(burst, byte(id))
					}
					orders[string(burst)] = true
					runs[run] = append(runs[run], burst...)
				}
			}
			if len(orders) < 4 {
				t.Errorf("%d orders of 4 buffers in 8 bursts: %v", len(orders), runs[0])
			}
			if !bytes.Equal(runs[0], runs[1]) {
				t.Errorf("two runs differ: %v, %v", runs[0], runs[1])
			}
		})
	}
}
