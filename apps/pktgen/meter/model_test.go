package meter

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// model counts a stream by remembering every number that it has seen, as 64-bit numbers
// that the test knows and a packet does not have.
type model struct {
	first, next int64
	window      int64
	seen        map[int64]bool
	counts      Counts
}

func newModel(first, window int64) *model {
	return &model{first: first, next: first, window: window, seen: map[int64]bool{}}
}

func (m *model) arrive(n int64, bytes uint64) {
	m.counts.Bytes += bytes
	switch {
	case n < m.first:
		m.counts.Stale++
		return
	case n >= m.next:
		m.counts.InOrder++
		m.counts.Skipped += uint64(n - m.next)
		m.next = n + 1
	case m.next-n > m.window:
		m.counts.Late++
		return
	case m.seen[n]:
		m.counts.Duplicate++
		return
	default:
		m.counts.Reordered++
		extent := uint64(0)
		for later := n + 1; later < m.next; later++ {
			if m.seen[later] {
				extent++
			}
		}
		m.counts.ExtentSum += extent
		m.counts.ExtentMax = max(m.counts.ExtentMax, extent)
	}
	m.seen[n] = true
}

// arrival draws the number of the next packet: mostly near the next expected one, and
// often at an edge of the window.
func (m *model) arrival(t *rapid.T) int64 {
	w := m.window
	switch rapid.IntRange(0, 11).Draw(t, "kind") {
	case 0, 1, 2, 3:
		return m.next
	case 4:
		return m.next + rapid.Int64Range(1, 5).Draw(t, "skip")
	case 5:
		return m.next + rapid.Int64Range(w-3, 2*w+3).Draw(t, "skip")
	case 6:
		return m.next + rapid.Int64Range(1, 1<<31-1).Draw(t, "skip")
	case 7, 8:
		return m.next - rapid.Int64Range(1, 10).Draw(t, "back")
	case 9:
		return m.next - rapid.Int64Range(1, w).Draw(t, "back")
	case 10:
		return m.next - rapid.Int64Range(w-2, w+2).Draw(t, "back")
	default:
		return m.next - rapid.Int64Range(1, 1<<31).Draw(t, "back")
	}
}

// firstOf draws the first number of a trial, which may be shortly before the wrap.
func firstOf(t *rapid.T, atLeast int64) int64 {
	if rapid.Bool().Draw(t, "wrap") {
		atLeast = (atLeast>>32+1)<<32 - rapid.Int64Range(0, 100).Draw(t, "before")
	}
	return atLeast + rapid.Int64Range(0, 20).Draw(t, "unsent")
}

// TestCountsOfAnyArrivals compares a receiver with the model for any order of arrivals of
// two streams over several trials, read at any time in between.
func TestCountsOfAnyArrivals(t *testing.T) {
	s := newSource(t, 64)
	rapid.Check(t, func(t *rapid.T) {
		window := rapid.SampledFrom([]int{64, 128, 512}).Draw(t, "window")
		r, err := New(Config{Window: window, Streams: []Stream{{ID: 3}, {ID: 4}}})
		if err != nil {
			t.Fatal(err)
		}
		models := []*model{newModel(0, int64(window)), newModel(0, int64(window))}
		for range rapid.IntRange(1, 4).Draw(t, "trials") {
			for range rapid.IntRange(0, 20).Draw(t, "bursts") {
				var burst []*mbuf.Buf
				for range rapid.IntRange(0, 32).Draw(t, "burst") {
					i := rapid.IntRange(0, 1).Draw(t, "stream")
					n := models[i].arrival(t)
					models[i].arrive(n, 60)
					burst = append(burst, s.packet(60, uint16(3+i), uint32(n), 0))
				}
				receive(r, 0, burst...)
				if rapid.Bool().Draw(t, "read") {
					compare(t, r.Snapshot(), models)
				}
			}
			compare(t, r.Snapshot(), models)
			next := []*model{
				newModel(firstOf(t, models[0].next), int64(window)),
				newModel(firstOf(t, models[1].next), int64(window)),
			}
			compare(t, r.Begin(map[uint16]uint32{3: uint32(next[0].first), 4: uint32(next[1].first)}), models)
			models = next
		}
	})
}

func compare(t *rapid.T, got Snapshot, models []*model) {
	for i, m := range models {
		c := got.Streams[i].Counts
		if c != m.counts {
			t.Fatalf("stream %d: counted %+v, want %+v", i, c, m.counts)
		}
		if span := uint64(m.next - m.first); c.Span() != span || c.Missing() != span-uint64(len(m.seen)) {
			t.Fatalf("stream %d: span %d, missing %d; want %d, %d",
				i, c.Span(), c.Missing(), span, span-uint64(len(m.seen)))
		}
	}
}
