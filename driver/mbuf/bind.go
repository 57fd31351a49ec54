package mbuf

import (
	"fmt"
	"slices"

	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

const opBind = "bind pool"

// DriverPool is the driver's half of a [Pool]: where a device finds its memory.
type DriverPool Pool

// Memory returns the memory that the buffers are in, to be mapped for a device.
// It remains the pool's.
func (p *DriverPool) Memory() *hugepages.Memory { return p.memory }

// Fault says that a memory fault has ended a burst, so that buffers may be lost: neither
// in the pool nor with a queue or the application.
func (p *DriverPool) Fault() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faulted = true
}

// Bind gives the pool the device address of each page of its memory, in order.
// The first call sets the address of every buffer; each later one, for another
// device, must give the same addresses, because a buffer has only one. An [*Error]
// means that it does not, or that the addresses cannot be used.
//
// At the first call no buffer may be out of the pool.
func (p *DriverPool) Bind(pages []uint64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.checkPages(pages); err != nil {
		return err
	}
	if p.bound != nil {
		return p.checkSame(pages)
	}
	if err := p.checkAllFree(); err != nil {
		return err
	}
	for i := range p.bufs {
		off := p.grid.offset(i)
		p.bufs[i].addr = pages[off/p.grid.page] + uint64(off%p.grid.page)
	}
	p.bound = slices.Clone(pages)
	return nil
}

// CheckBind returns the [*Error] that a first Bind would return for any
// addresses, nil if it depends on them.
func (p *DriverPool) CheckBind() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bound != nil {
		return nil
	}
	return p.checkAllFree()
}

// Bound reports whether the buffers have device addresses.
func (p *DriverPool) Bound() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bound != nil
}

// checkAllFree finds buffers that are out of the pool. The lock is held.
func (p *DriverPool) checkAllFree() error {
	if len(p.free) == len(p.bufs) {
		return nil
	}
	return &Error{Op: opBind,
		Reason: "buffers were taken out of the pool before it had device addresses",
		Remedy: "attach it to a port first"}
}

// checkPages finds addresses that no pool can have, or not this one.
func (p *DriverPool) checkPages(pages []uint64) error {
	want := len(p.memory.Bytes()) / p.grid.page
	if p.unmapped || len(pages) != want {
		return &Error{Op: opBind,
			Reason: "the number of pages is not that of the pool's memory, or the pool was released"}
	}
	for i, address := range pages {
		if address == 0 {
			return bindError(i, address, "address 0 stands for a buffer without an address", "")
		}
		contiguous := i == 0 || address == pages[i-1]+uint64(p.grid.page)
		if p.grid.perPage == 0 && !contiguous {
			reason := fmt.Sprintf("a buffer is larger than a page, and the pages do not follow each other: "+
				"this one would have to be at %#x", pages[i-1]+uint64(p.grid.page))
			return bindError(i, address, reason, "use larger hugepages")
		}
	}
	return nil
}

// checkSame finds pages that already have another address.
func (p *DriverPool) checkSame(pages []uint64) error {
	for i, address := range pages {
		if address != p.bound[i] {
			reason := fmt.Sprintf("another port has it at %#x, and one pool cannot serve ports that use "+
				"physical addresses and ports behind an IOMMU", p.bound[i])
			return bindError(i, address, reason, "give them a pool each")
		}
	}
	return nil
}

func bindError(page int, address uint64, reason, remedy string) error {
	field := fmt.Sprintf("page %d", page)
	return &Error{Op: opBind, Field: field, Value: address, Reason: reason, Remedy: remedy}
}
