package mbuf

const (
	cacheLine = 64
	// maxRoom keeps offsets in a room well inside 32 bits.
	maxRoom  = 1 << 30
	maxCount = 1 << 24 // buffers of a pool
	// firstGuess is the page size that the first allocation expects.
	firstGuess = 2 << 20
)

// grid says where in the memory of a pool each room is. A room begins on a
// cache line and does not cross a page unless it is larger than one.
type grid struct {
	room    int // headroom and data room, in bytes
	stride  int // bytes from one room to the next in the same page
	page    int // page size, in bytes
	perPage int // rooms in a page, 0 if a room is larger than a page
	colours int // positions, a cache line apart, at which the first room of a page may be
}

// newGrid computes the grid for rooms of so many bytes in pages of that size.
func newGrid(room, page int) grid {
	lines := (room + cacheLine - 1) / cacheLine
	// An odd number of lines spreads the first lines of the rooms, which are
	// the ones used most, over all sets of the processor's caches.
	g := grid{room: room, stride: (lines | 1) * cacheLine, page: page}
	if g.stride > page {
		if room > page {
			return g
		}
		g.stride = page
	}
	g.perPage = page / g.stride
	g.colours = (page-g.perPage*g.stride)/cacheLine + 1
	return g
}

// offset returns where in the memory room i begins.
func (g grid) offset(i int) int {
	if g.perPage == 0 {
		return i * g.stride
	}
	page := i / g.perPage
	// Few rooms a page would make all of them begin at the same offsets, and
	// their first lines fight for the same sets. What is left of the page is
	// used to move them apart.
	colour := page % g.colours * cacheLine
	return page*g.page + i%g.perPage*g.stride + colour
}

// bytes returns how much memory n rooms need.
func (g grid) bytes(n int) int {
	if g.perPage == 0 {
		return n * g.stride
	}
	return (n + g.perPage - 1) / g.perPage * g.page
}
