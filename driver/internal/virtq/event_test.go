package virtq

import (
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// TestSplitEvent compares the decision with counting through the batch.
func TestSplitEvent(t *testing.T) {
	for _, old := range []uint16{0, 1, 5, 32766, 32768, 65530, 65535} {
		for n := uint16(1); n < 20; n++ {
			for event := old - 25; event != old+25; event++ {
				want := false
				for i := range n {
					want = want || old+i == event
				}
				if got := splitWantsEvent(event, old+n, old); got != want {
					t.Fatalf("from %d, %d entries, event %d: %v, want %v", old, n, event, got, want)
				}
			}
		}
	}
}

// TestPackedEvent walks the slots of every batch, on rings of all small sizes,
// with both wrap counters.
func TestPackedEvent(t *testing.T) {
	for size := 1; size < 9; size++ {
		for start := range size {
			for _, startWrap := range []bool{false, true} {
				for count := 1; count <= size; count++ {
					packedEventCase(t, size, start, count, startWrap)
				}
			}
		}
	}
}

func packedEventCase(t *testing.T, size, start, count int, startWrap bool) {
	type slot struct {
		at   int
		wrap bool
	}
	batch := map[slot]bool{}
	next := slot{start, startWrap}
	for range count {
		batch[next] = true
		if next.at++; next.at == size {
			next = slot{0, !next.wrap}
		}
	}
	for at := range size {
		for _, wrap := range []bool{false, true} {
			event := packedEvent(position(at, wrap) | virtio.EventDesc<<16)
			want := batch[slot{at, wrap}]
			if got := event.wants(next.at, count, size, next.wrap, true); got != want {
				t.Fatalf("size %d, %d slots from %d/%v, event at %d/%v: %v, want %v", size, count,
					start, startWrap, at, wrap, got, want)
			}
		}
	}
}
