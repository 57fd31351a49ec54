package virtq

import (
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// TestMisuse gives a burst what an application must not: in each place of a burst,
// beside good packets. The good ones are sent, each of the others is counted once,
// and the queue goes on.
func TestMisuse(t *testing.T) {
	const burst = 4
	cases := []struct {
		name    string
		packet  func(r *rig) *mbuf.Buf
		counter func(s *TxStats) uint64
		freed   bool // a double free is counted by the pool
	}{
		{"nil", func(*rig) *mbuf.Buf { return nil }, func(s *TxStats) uint64 { return s.OwnerDrops.Load() }, false},
		{"freed", func(r *rig) *mbuf.Buf {
			b := r.packets(1, 64)
			r.cache.Put(b)
			return b[0]
		}, func(s *TxStats) uint64 { return s.OwnerDrops.Load() }, true},
		{"empty tail linked to itself", func(r *rig) *mbuf.Buf {
			b := r.chained(64, 0)
			b.Next().SetNext(b.Next())
			return b
		}, func(s *TxStats) uint64 { return s.ChainDrops.Load() }, true},
		{"tail linked to the first", func(r *rig) *mbuf.Buf {
			b := r.chained(64, 64)
			b.Next().SetNext(b)
			return b
		}, func(s *TxStats) uint64 { return s.ChainDrops.Load() }, true},
		{"empty chain of three in a circle", func(r *rig) *mbuf.Buf {
			b := r.chained(64, 0, 0, 0)
			b.Next().Next().Next().SetNext(b.Next())
			return b
		}, func(s *TxStats) uint64 { return s.ChainDrops.Load() }, true},
	}
	kinds(t, func(t *testing.T, packed bool) {
		for _, c := range cases {
			for at := range burst {
				r := newTxRig(t, setup{packed: packed, size: 32})
				for round := range 20 { // the ring goes round more than once
					bad := c.packet(r)
					bufs := r.packets(burst-1, 64)
					bufs = append(bufs[:at:at], append([]*mbuf.Buf{bad}, bufs[at:]...)...)
					if n := r.tx.Burst(bufs); n != burst {
						t.Fatalf("%s at %d, round %d: %d of %d taken", c.name, at, round, n, burst)
					}
					if got := r.useAll(nil); got != burst-1 {
						t.Fatalf("%s at %d, round %d: the device has %d packets, want %d",
							c.name, at, round, got, burst-1)
					}
					r.ok()
				}
				s := r.tx.Stats()
				if c.counter(s) != 20 || s.Dropped() != 20 || s.Packets.Load() != 20*(burst-1) {
					t.Errorf("%s at %d: %d counted, %d dropped, %d sent", c.name, at, c.counter(s),
						s.Dropped(), s.Packets.Load())
				}
				if got := r.pool.DoubleFrees(); got > 0 != c.freed {
					t.Errorf("%s at %d: %d double frees", c.name, at, got)
				}
				r.tx.Reclaim()
				r.conserved(0)
			}
		}
	})
}

// TestReclaimOutOfOrder has a device use chains of all lengths in orders that cost
// most, on a large ring. No burst writes more positions than it may, and all chains
// come back, those of one length in one burst.
func TestReclaimOutOfOrder(t *testing.T) {
	const size = 2048
	lengths := map[string][]int{"single": {1}, "pairs": {2}, "threes": {3}, "mixed": {3, 1, 2, 4},
		"a long one first": {5, 2, 2, 2, 2, 2, 2, 2}}
	orders := map[string]func(i, n int) int{
		"reverse":   func(i, n int) int { return n - 1 - i },
		"evens":     func(i, n int) int { return (2*i + 1) % (n | 1) % n },
		"last":      func(i, n int) int { return (i + n - 1) % n },
		"alternate": func(i, n int) int { return []int{i / 2, n - 1 - i/2}[i%2] },
	}
	kinds(t, func(t *testing.T, packed bool) {
		for kind, pattern := range lengths {
			for order, pick := range orders {
				r := newTxRig(t, setup{packed: packed, size: size, bufs: 2 * size})
				for i := 0; r.tx.free() >= 8; i++ {
					b := r.chained(append([]int{64}, make([]int, pattern[i%len(pattern)]-1)...)...)
					for s := range b.Segments() {
						if s != b {
							s.Append(8)
						}
					}
					if r.tx.Burst([]*mbuf.Buf{b}) != 1 {
						t.Fatal("not taken")
					}
				}
				all := r.popAll()
				used := make([]bool, len(all))
				for i := range all {
					at := pick(i, len(all))
					for used[at] { // an order that names one twice
						at = (at + 1) % len(all)
					}
					used[at] = true
					r.dev.push(all[at].id, 0, all[at].slots)
				}
				r.dev.flush()
				bursts := 0
				for r.tx.Posted() > 0 && bursts <= len(all) {
					r.tx.Reclaim()
					bursts++
					if r.tx.moved > maxMoved+2*size {
						t.Fatalf("%s, %s: a burst wrote %d positions", kind, order, r.tx.moved)
					}
				}
				r.ok()
				r.conserved(0)
				if len(pattern) == 1 && bursts > 1 {
					t.Errorf("%s, %s: %d bursts until all chains were back", kind, order, bursts)
				}
			}
		}
	})
}

// TestNumBuffersSample has a device write another num_buffers than 1 into packets of
// one buffer that is not full: they are received, and some of them are counted.
func TestNumBuffersSample(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		for _, count := range []uint16{0, 1, 2, 0xffff} {
			r := newRxRig(t, setup{packed: packed, size: 8, features: feats(virtio.NetMrgRxbuf)})
			bufs := make([]*mbuf.Buf, 8)
			const rounds = 1024
			for range rounds {
				l, _ := r.dev.pop()
				n := r.device().write(l, append(netHeader(count), make([]byte, 60)...))
				r.dev.push(l.id, uint32(n), 1)
				r.dev.flush()
				if n := r.rx.Burst(bufs); n != 1 || bufs[0].Len() != 60 {
					t.Fatalf("num_buffers %d: %d packets", count, n)
				}
				r.cache.Put(bufs[:1])
			}
			r.ok()
			if got := r.rx.Stats().CountErrors.Load(); (got == rounds/256) != (count != 1) || count == 1 && got != 0 {
				t.Errorf("num_buffers %d: CountErrors %d", count, got)
			}
		}
	})
}
