package vdev_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// With BatchUsed one used entry stands for a burst: it has the ID of the last
// buffer and stands where the first one's would, and the rest is not written.
func TestBatchedUsedEntry(t *testing.T) {
	for name, f := range map[string]virtio.Features{"split": split, "packed": packed} {
		for _, batch := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				g := newGuest(t, vdev.Config{BatchUsed: batch}, 1<<20)
				_, tx := g.up(f.With(virtio.InOrder), 16)
				s := &sender{g, tx, good(g)}
				s.add(4)
				g.d.Poll()
				written := 0
				switch q := tx.(type) {
				case *splitVQ:
					// Heads are 0 to 3 here, so an entry of zeros was not written.
					for i := 1; i < 4; i++ {
						if binary.LittleEndian.Uint64(q.used[4+8*i:]) != 0 {
							written++
						}
					}
					if id := binary.LittleEndian.Uint32(q.used[4:]); batch && id != 3 {
						t.Errorf("the entry names buffer %d", id)
					}
				case *packedVQ:
					for i := 1; i < 4; i++ {
						if flags := get64(q.desc, 16*i+8) >> 48; flags&virtio.DescUsed != 0 {
							written++
						}
					}
					if id := uint16(get64(q.desc, 8) >> 32); batch && id != q.order[3] {
						t.Errorf("the entry names buffer %d", id)
					}
				}
				if want := map[bool]int{false: 3}[batch]; written != want {
					t.Errorf("batch %v: %d entries besides the first, want %d", batch, written, want)
				}
				if n := s.takeAll(); n != 4 {
					t.Errorf("%d buffers came back", n)
				}
				g.clean()
			})
		}
	}
}

// OutOfOrder changes the order, both ways, and is the same in every run.
func TestOutOfOrder(t *testing.T) {
	orders := make(map[string][]uint16)
	for range 2 {
		for name, f := range map[string]virtio.Features{"split": split, "packed": packed} {
			g := newGuest(t, vdev.Config{OutOfOrder: true, Backend: wire.Gen(64)}, 1<<20)
			rx, tx := g.up(f, 32)
			for queue, q := range []vq{rx, tx} {
				var posted, used []uint16
				for range 16 {
					p := good(g)
					if queue == 0 {
						addr, b := g.alloc(2048, 16)
						p = piece{addr, len(b), true}
					}
					id, ok := q.add(false, p)
					if !ok {
						t.Fatal("no room")
					}
					posted = append(posted, id)
				}
				q.publish()
				for g.d.Poll() > 0 {
				}
				for id, _, ok := q.take(); ok; id, _, ok = q.take() {
					used = append(used, id)
				}
				key := name + []string{" receive", " transmit"}[queue]
				if slices.Equal(used, posted) {
					t.Errorf("%s: in order", key)
				}
				if before, known := orders[key]; known && !slices.Equal(before, used) {
					t.Errorf("%s: another order than last time", key)
				}
				orders[key] = used
				sorted := slices.Sorted(slices.Values(used))
				if !slices.Equal(sorted, slices.Sorted(slices.Values(posted))) {
					t.Errorf("%s: posted %v, used %v", key, posted, used)
				}
			}
			g.clean()
		}
	}
}

// A burst that passes the event interrupts once, at every position in the ring, also
// when the ring ends within the burst; a shorter one does not.
func TestInterruptEventInsideBurst(t *testing.T) {
	for _, size := range []int{8, 7} {
		f := packed.With(virtio.RingEventIdx)
		s := newSender(t, f, size)
		q := s.tx.(*packedVQ)
		for round := range 60 {
			for _, c := range []struct{ ahead, burst, want int }{{3, 5, 1}, {4, 5, 1}, {0, 5, 1}, {5, 5, 0}, {6, 5, 0}} {
				at, wrap := q.used+c.ahead, q.usedWrap
				if at >= size {
					at, wrap = at-size, !wrap
				}
				v := uint32(at) | virtio.EventDesc<<16
				if wrap {
					v |= 1 << 15
				}
				put32(q.drv, 0, v)
				before := s.g.irq.queue[1].Load()
				s.add(c.burst)
				s.g.d.Poll()
				if got := s.g.irq.queue[1].Load() - before; got != int64(c.want) {
					t.Fatalf("size %d, round %d: %d interrupts, want %d (event %d ahead, burst of %d)", size, round, got, c.want, c.ahead, c.burst)
				}
				if s.takeAll() != c.burst {
					t.Fatal("not everything came back")
				}
			}
		}
		s.g.clean()
	}
}

// Damage that does not change the checksum is found too.
func TestSeqFrameSwappedWords(t *testing.T) {
	g := wire.Gen(128)
	if err := g.Attach(nil); err != nil {
		t.Fatal(err)
	}
	frames := make([][]byte, 1)
	g.Receive(0, frames)
	f := frames[0]
	f[80], f[81], f[82], f[83] = f[82], f[83], f[80], f[81]
	if _, _, ok := wire.SeqFrame(f); ok {
		t.Error("two swapped words go unnoticed")
	}
}
