package mbuf

import (
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

const (
	cacheLine = 64
	// maxRoom keeps offsets in a room well inside 32 bits.
	maxRoom = 1 << 30
	// firstGuess is the page size that the first allocation counts on.
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

// complete fills in what Config leaves to this package and checks the rest.
func (c *Config) complete() error {
	switch {
	case c.Headroom == 0:
		c.Headroom = DefaultHeadroom
	case c.Headroom == NoHeadroom:
		c.Headroom = 0
	}
	if c.DataRoom == 0 {
		c.DataRoom = DefaultDataRoom
	}
	switch {
	case c.Count < 1 || c.Count > 1<<24:
		return &ConfigError{Field: "Count", Value: c.Count, Reason: "must be 1 to 16777216"}
	case c.Headroom < 0 || c.Headroom > maxRoom:
		return &ConfigError{Field: "Headroom", Value: c.Headroom, Reason: "must be 0 to 1 GiB"}
	case c.DataRoom < 0 || c.DataRoom > maxRoom:
		return &ConfigError{Field: "DataRoom", Value: c.DataRoom, Reason: "must be 1 to 1 GiB"}
	}
	return nil
}

// allocate gets the memory of a pool. How many pages are needed depends on
// their size, and that is only known for certain when there are some: when the
// pages turn out to be smaller than thought, it asks once more.
func allocate(cfg Config) (*hugepages.Memory, grid, error) {
	options := cfg.Memory
	page := options.PageSize
	if page == 0 {
		page = firstGuess
	}
	for {
		options.Bytes = newGrid(cfg.Headroom+cfg.DataRoom, page).bytes(cfg.Count)
		memory, err := hugepages.Allocate(options)
		if err != nil {
			return nil, grid{}, err
		}
		g := newGrid(cfg.Headroom+cfg.DataRoom, memory.PageSize())
		if g.bytes(cfg.Count) <= len(memory.Bytes()) {
			return memory, g, nil
		}
		page = memory.PageSize()
		if err := memory.Release(); err != nil {
			return nil, grid{}, err
		}
	}
}
