package vdev

import (
	"slices"
)

// pageSize is the granularity in which memory is mapped for a device, as an
// IOMMU and VFIO have it.
const pageSize = 4096

// memory is what the device can reach: the table that a driver fills by mapping
// memory. Every address in a ring is looked up here before it is used.
type memory struct {
	regions []region // ascending, without overlap
	last    int      // where the last address was found
}

// region is one mapping.
type region struct {
	first uint64
	mem   []byte
	pages *pages // nil if all pages are present
}

// pages are those of a region that have to be made present before they are accessed.
type pages struct {
	populate func(off, n uint64) error
	present  []uint64 // a bit for each page, counted from the beginning of the region
}

func newPages(size int, populate func(off, n uint64) error) *pages {
	return &pages{populate: populate, present: make([]uint64, (size/pageSize+64)/64)}
}

// has reports whether n bytes at off are present, and makes them so if it can.
func (p *pages) has(off, n uint64) bool {
	if p == nil {
		return true
	}
	first, last := off/pageSize, (off+n-1)/pageSize
	for i := first; i <= last; i++ {
		if p.present[i/64]&(1<<(i%64)) != 0 {
			continue
		}
		if p.populate(i*pageSize, (last-i+1)*pageSize) != nil {
			return false
		}
		for ; i <= last; i++ {
			p.present[i/64] |= 1 << (i % 64)
		}
	}
	return true
}

// MapMemory lets the device reach mem under the device addresses that begin at
// addr, until UnmapMemory. Both have to be aligned to pages of 4 KiB. An error is
// an *[Error].
func (d *Device) MapMemory(addr uint64, mem []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mem.add(addr, mem)
}

// UnmapMemory removes whole mappings. When it returns, the device does not touch
// the memory any more. Unmapping memory of a live ring is a violation after which
// the device needs a reset.
func (d *Device) UnmapMemory(addr uint64, size int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if size <= 0 {
		return mapError(addr, size, "the size has to be positive")
	}
	d.ctrl.late = nil // they may be in that memory
	for i, q := range d.queues {
		if d.running && q.alive && d.usesMemory(i, addr, uint64(size)) {
			d.fail("basic/cleanup/2", i, "memory of a live ring unmapped (%d bytes at %#x)", size, addr)
		}
	}
	err := d.mem.remove(addr, size)
	if err == nil && d.reset.asked && d.reset.left != 0 {
		d.violate("basic/cleanup/2", -1, "memory unmapped before the reset was over (%d bytes at %#x)", size, addr)
		d.halt()
	}
	return err
}

func (m *memory) add(addr uint64, mem []byte) error {
	size := uint64(len(mem))
	switch {
	case size == 0 || size%pageSize != 0 || addr%pageSize != 0 || !pageAligned(mem):
		return mapError(addr, len(mem), "address, place and size have to be multiples of 4096")
	}
	return m.insert(addr, mem, nil)
}

// insert is add without the alignment to pages. p are its pages, nil if they are all
// present.
func (m *memory) insert(addr uint64, mem []byte, p *pages) error {
	size := uint64(len(mem))
	if size == 0 || addr+size-1 < addr {
		return mapError(addr, len(mem), "nothing, or past the end of the address space")
	}
	i := m.search(addr)
	if i > 0 && m.regions[i-1].last() >= addr || i < len(m.regions) && m.regions[i].first <= addr+size-1 {
		return mapError(addr, len(mem), "something is mapped there already")
	}
	m.regions = slices.Insert(m.regions, i, region{addr, mem, p})
	m.last = 0
	return nil
}

func (m *memory) remove(addr uint64, size int) error {
	i := m.search(addr)
	end := i
	for left := uint64(size); left > 0; end++ {
		if end == len(m.regions) || m.regions[end].first != addr+uint64(size)-left || uint64(len(m.regions[end].mem)) > left {
			return mapError(addr, size, "not one or several whole mappings")
		}
		left -= uint64(len(m.regions[end].mem))
	}
	m.regions = slices.Delete(m.regions, i, end)
	m.last = 0
	return nil
}

// search returns the index of the first region that begins at addr or later.
func (m *memory) search(addr uint64) int {
	i, _ := slices.BinarySearchFunc(m.regions, addr, func(r region, a uint64) int {
		switch {
		case r.first < a:
			return -1
		case r.first > a:
			return 1
		}
		return 0
	})
	return i
}

func (r region) last() uint64 { return r.first + uint64(len(r.mem)) - 1 }

// at returns the n bytes of guest memory at addr, or nil if not all of them are
// mapped and present, or n is 0. The driver may change them at any time.
func (m *memory) at(addr uint64, n uint64) []byte {
	if m.last < len(m.regions) {
		r := &m.regions[m.last]
		off, size := addr-r.first, uint64(len(r.mem))
		if off < size && n <= size-off && n != 0 {
			if r.pages != nil && !r.pages.has(off, n) {
				return nil
			}
			return r.mem[off : off+n : off+n]
		}
	}
	return m.find(addr, n)
}

// find is at for an address that is not in the last region.
func (m *memory) find(addr, n uint64) []byte {
	i := m.search(addr)
	if i == len(m.regions) || m.regions[i].first != addr {
		i--
	}
	if i < 0 || n == 0 {
		return nil
	}
	r := &m.regions[i]
	off, size := addr-r.first, uint64(len(r.mem))
	if off >= size {
		return nil
	}
	if n <= size-off {
		m.last = i
		if r.pages != nil && !r.pages.has(off, n) {
			return nil
		}
		return r.mem[off : off+n : off+n]
	}
	if !r.pages.has(off, size-off) {
		return nil
	}
	// A driver that maps page by page may have a ring or a buffer across a
	// boundary, provided that the pages are adjacent in its own memory too.
	for have := size - off; have < n; i++ {
		if i+1 == len(m.regions) || m.regions[i+1].first != m.regions[i].last()+1 || !adjacent(m.regions[i].mem, m.regions[i+1].mem) {
			return nil
		}
		more := uint64(len(m.regions[i+1].mem))
		if !m.regions[i+1].pages.has(0, min(more, n-have)) {
			return nil
		}
		have += more
	}
	return extend(r.mem[off:], n)
}
