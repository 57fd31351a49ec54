package mbuf

import "testing"

// TestGrid lays out rooms of many sizes in pages of all sizes: they begin on a
// cache line, do not overlap, and cross no page they fit in.
func TestGrid(t *testing.T) {
	for _, page := range []int{4096, 2 << 20, 1 << 30} {
		for _, room := range []int{1, 64, 65, 1526, 2188, 4032, 4095, 4096, 4097, 9216, 65601} {
			g := newGrid(room, page)
			end := 0
			for i := range 200 {
				off := g.offset(i)
				if off%64 != 0 || off < end {
					t.Fatalf("rooms of %d in pages of %d: room %d at %d, the one before ends at %d", room, page, i, off, end)
				}
				end = off + room
				if room <= page && off/page != (end-1)/page {
					t.Fatalf("rooms of %d in pages of %d: room %d at %d crosses a page", room, page, i, off)
				}
				if need := g.bytes(i + 1); end > need {
					t.Fatalf("rooms of %d in pages of %d: %d bytes for %d rooms, which end at %d", room, page, need, i+1, end)
				}
			}
		}
	}
	if g := newGrid(DefaultHeadroom+DefaultDataRoom, 2<<20); g.stride != 2240 {
		t.Errorf("the stride of default rooms is %d", g.stride)
	}
}

// TestGridSpreads wants the first lines of rooms to fall on many sets of a
// cache with 64 of them, in pages that hold one room as well.
func TestGridSpreads(t *testing.T) {
	for _, page := range []int{4096, 2 << 20} {
		g := newGrid(DefaultHeadroom+DefaultDataRoom, page)
		sets := map[int]bool{}
		for i := range 64 {
			sets[g.offset(i)/64%64] = true
		}
		if len(sets) < 25 {
			t.Errorf("pages of %d: 64 rooms begin on %d sets", page, len(sets))
		}
	}
}
