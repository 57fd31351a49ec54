package vdev_test

import (
	"fmt"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// treadmill is a driver that costs as little as possible: a slot always has the same
// buffer, and used buffers are made available again unread. What remains is the cost
// of the device.
type treadmill struct {
	g      *guest
	packed bool
	size   int
	desc   []byte
	avail  []byte
	idx    uint16
	slot   int
	wrap   bool
	words  []uint64
}

func newTreadmill(tb testing.TB, cfg vdev.Config, f virtio.Features, queue int) *treadmill {
	cfg.Translated = true
	g := newGuest(tb, cfg, 4<<20)
	rx, tx := g.up(f, treadmillSize)
	return g.treadmill([]vq{rx, tx}[queue], queue)
}

const treadmillSize = 256

// newRecorded is newTreadmill for a VhostDevice, which keeps a record of buffers in flight
// or does not.
func newRecorded(tb testing.TB, cfg vdev.Config, f virtio.Features, queue int, recorded bool) *treadmill {
	g := newVhostGuest(tb, cfg, 4<<20)
	g.f = f
	g.v.Begin(f)
	q := g.newRing(queue, treadmillSize)
	r := g.vhostRing(q, treadmillSize, 0)
	if f.Has(virtio.RingPacked) {
		r.Position = 1 << 15
	}
	if recorded {
		_, r.Inflight = g.alloc(vdev.InflightSize(f.Has(virtio.RingPacked), treadmillSize), 64)
	}
	if err := g.v.StartRing(queue, r); err != nil {
		tb.Fatal(err)
	}
	g.v.EnableRing(queue, true)
	return g.treadmill(q, queue)
}

func (g *guest) treadmill(q vq, queue int) *treadmill {
	const size = treadmillSize
	f := g.f
	t := &treadmill{g: g, size: size, packed: f.Has(virtio.RingPacked), wrap: true, words: make([]uint64, size)}
	frame := make([]byte, 64)
	frame[12] = 8
	var flags uint64
	if queue == 0 {
		flags = virtio.DescWrite
	}
	for i := range size {
		addr, b := g.alloc(2048, 64)
		n := 2048
		if queue == 1 {
			n = copy(b, packet(frame))
		}
		q.add(false, piece{addr, n, queue == 0})
		t.words[i] = uint64(n) | uint64(i)<<32 | flags<<48
	}
	switch q := q.(type) {
	case *splitVQ:
		t.desc, t.avail = q.desc, q.avail
	case *packedVQ:
		t.desc = q.desc
	}
	t.again(size)
	return t
}

// again makes n buffers available.
func (t *treadmill) again(n int) {
	if !t.packed {
		t.idx += uint16(n)
		put32(t.avail, 0, virtio.AvailNoInterrupt|uint32(t.idx)<<16)
		return
	}
	for range n {
		put64(t.desc, 16*t.slot+8, t.words[t.slot]|uint64(availFlags(t.wrap))<<48)
		if t.slot++; t.slot == t.size {
			t.slot, t.wrap = 0, !t.wrap
		}
	}
}

// BenchmarkRecord has the same work with a record of buffers in flight and without.
func BenchmarkRecord(b *testing.B) {
	for i, name := range []string{"split", "packed"} {
		f := virtio.FeatureSet(virtio.Version1, virtio.NetMrgRxbuf)
		if i == 1 {
			f = f.With(virtio.RingPacked)
		}
		for queue, way := range []string{"receive", "transmit"} {
			for _, recorded := range []bool{false, true} {
				b.Run(fmt.Sprintf("%s/%s/%v", name, way, recorded), func(b *testing.B) {
					var backend vdev.Backend = wire.Gen(64)
					if queue == 1 {
						backend = wire.Null()
					}
					t := newRecorded(b, vdev.Config{Backend: backend}, f, queue, recorded)
					b.ReportAllocs()
					b.ResetTimer()
					for done := 0; done < b.N; {
						n := t.g.v.Poll()
						if n == 0 {
							b.Fatalf("the device stands still: %v", t.g.violations())
						}
						t.again(n)
						done += n
					}
				})
			}
		}
	}
}

func benchmarkDevice(b *testing.B, backend vdev.Backend, f virtio.Features, queue int) {
	t := newTreadmill(b, vdev.Config{Backend: backend}, f, queue)
	b.ReportAllocs()
	b.ResetTimer()
	for done := 0; done < b.N; {
		n := t.g.d.Poll()
		if n == 0 {
			b.Fatalf("the device stands still: %v", t.g.d.Violations())
		}
		t.again(n)
		done += n
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mpps")
}

func BenchmarkReceiveSplit(b *testing.B) { benchmarkDevice(b, wire.Gen(64), allFeatures, 0) }
func BenchmarkReceivePacked(b *testing.B) {
	benchmarkDevice(b, wire.Gen(64), allFeatures.With(virtio.RingPacked), 0)
}
func BenchmarkTransmitSplit(b *testing.B) { benchmarkDevice(b, wire.Null(), allFeatures, 1) }
func BenchmarkTransmitPacked(b *testing.B) {
	benchmarkDevice(b, wire.Null(), allFeatures.With(virtio.RingPacked), 1)
}

// A turn of the device allocates nothing, in either format and either direction.
func TestNoAllocationPerTurn(t *testing.T) {
	for _, f := range []virtio.Features{allFeatures, allFeatures.With(virtio.RingPacked)} {
		for queue, backend := range []func() vdev.Backend{
			func() vdev.Backend { return wire.Gen(64) },
			func() vdev.Backend { return wire.Null() },
		} {
			mill := newTreadmill(t, vdev.Config{Backend: backend()}, f, queue)
			turn := func() { mill.again(mill.g.d.Poll()) }
			turn()
			if n := testing.AllocsPerRun(100, turn); n != 0 {
				t.Errorf("queue %d, %v: %v allocations a turn", queue, f, n)
			}
			if mill.g.d.Stats().RxFrames+mill.g.d.Stats().TxFrames < 3000 {
				t.Errorf("queue %d, %v: nothing moved", queue, f)
			}
			mill.g.clean()
		}
	}
}
