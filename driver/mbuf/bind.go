package mbuf

// DriverPool is the driver's half of a [Pool]: where a device finds its memory.
type DriverPool Pool

// Bind tells where a device finds the memory of the pool: the device address of
// each of its pages, in order. The first call sets the address of every buffer;
// each later one, for another device, must give the same addresses, because a
// buffer has one. A *BindError says that it does not, or that the addresses are
// no use, and nothing is changed.
//
// No buffer may be out of the pool at the first call.
func (p *DriverPool) Bind(pages []uint64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.checkPages(pages); err != nil {
		return err
	}
	if p.bound != nil {
		return p.sameAs(pages)
	}
	if err := p.checkWhole(); err != nil {
		return err
	}
	for i := range p.bufs {
		off := p.grid.offset(i)
		p.bufs[i].addr = pages[off/p.grid.page] + uint64(off%p.grid.page)
	}
	p.bound = append([]uint64(nil), pages...)
	return nil
}

// CheckBind returns the *BindError that a first Bind would return whatever the
// addresses, nil if it depends on them.
func (p *DriverPool) CheckBind() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bound != nil {
		return nil
	}
	return p.checkWhole()
}

// checkWhole finds buffers that are out of the pool. The lock is held.
func (p *DriverPool) checkWhole() error {
	if len(p.free) == len(p.bufs) {
		return nil
	}
	return &BindError{Page: -1, Reason: "buffers were taken out of the pool before it was given its device addresses; attach it to a port first"}
}

// Bound reports whether the buffers have device addresses.
func (p *DriverPool) Bound() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bound != nil
}

func (p *DriverPool) checkPages(pages []uint64) error {
	want := len(p.memory.Bytes()) / p.grid.page
	if p.bufs == nil || len(pages) != want {
		return &BindError{Page: -1, Reason: "the number of pages is not that of the pool's memory, or the pool was released"}
	}
	for i, address := range pages {
		if address == 0 {
			return &BindError{Page: i, Reason: "address 0 stands for a buffer without one"}
		}
		contiguous := i == 0 || address == pages[i-1]+uint64(p.grid.page)
		if p.grid.perPage == 0 && !contiguous {
			return &BindError{Page: i, Have: pages[i-1] + uint64(p.grid.page), Want: address,
				Reason: "a buffer is larger than a page, and the pages do not follow each other; use larger hugepages"}
		}
	}
	return nil
}

func (p *DriverPool) sameAs(pages []uint64) error {
	for i, address := range pages {
		if address != p.bound[i] {
			return &BindError{Page: i, Have: p.bound[i], Want: address,
				Reason: "one pool cannot serve ports that use physical addresses and ports behind an IOMMU; give them a pool each"}
		}
	}
	return nil
}
