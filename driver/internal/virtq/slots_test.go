package virtq

import (
	"math/rand"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// TestSettles disturbs the order of a ring once, in every way, and then goes
// round in order: the avail ring, which is not rewritten once it has settled,
// must name every buffer once.
func TestSettles(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		const size = 8
		for first := range size {
			for lead := range size {
				r := newTxRig(t, setup{packed: packed, size: size, bufs: 64})
				for range 3*size + lead {
					r.send(1)
					r.useAll(nil)
				}
				r.send(size)
				all := r.popAll()
				r.dev.push(all[first].id, 0, 1)
				for i, l := range all {
					if i != first {
						r.dev.push(l.id, 0, 1)
					}
				}
				r.dev.flush()
				for range 4 * size {
					r.send(1)
					if r.useAll(nil) != 1 {
						t.Fatal("nothing arrives")
					}
					r.ok()
				}
			}
		}
	})
}

// TestSlotsModel compares the window of positions with a list of the chains in
// it.
func TestSlotsModel(t *testing.T) {
	type chain struct {
		id uint16
		n  int
		b  *mbuf.Buf
	}
	for seed := range int64(50) {
		rng := rand.New(rand.NewSource(seed))
		s := newSlots(1 + rng.Intn(20))
		var out []chain
		for range 500 {
			if n := 1 + rng.Intn(3); rng.Intn(2) == 0 && n <= s.free() {
				b := &mbuf.Buf{}
				at := s.tail()
				s.begin(at, n, b)
				s.count += n
				out = append(out, chain{s.id[at], n, b})
			} else if len(out) > 0 {
				i := rng.Intn(len(out))
				d := s.distance(uint32(out[i].id), s.head, s.count)
				if d < 0 {
					t.Fatalf("seed %d: id %d is outstanding and not found", seed, out[i].id)
				}
				s.toFront(s.head, d)
				if s.id[s.head] != out[i].id || s.buf[s.head] != out[i].b {
					t.Fatalf("seed %d: id %d is not at the front", seed, out[i].id)
				}
				if n := s.end(); n != out[i].n {
					t.Fatalf("seed %d: %d descriptors, want %d", seed, n, out[i].n)
				}
				s.drop(out[i].n)
				out = append(out[:i], out[i+1:]...)
			}
			seen := map[uint16]bool{}
			for at, id := range s.id {
				if seen[id] || int(s.at[id]) != at {
					t.Fatalf("seed %d: position %d has id %d, which is at %d", seed, at, id,
						s.at[id])
				}
				seen[id] = true
			}
			outstanding := map[uint16]bool{}
			for _, c := range out {
				outstanding[c.id] = true
			}
			for id := range uint32(len(s.id) + 3) {
				if d := s.distance(id, s.head, s.count); (d >= 0) != outstanding[uint16(id)] {
					t.Fatalf("seed %d: id %d at distance %d, outstanding %v", seed, id, d,
						outstanding[uint16(id)])
				}
			}
		}
	}
}
