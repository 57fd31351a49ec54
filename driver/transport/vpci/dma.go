package vpci

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
	"github.com/virtio-pmd/virtio-pmd/pci"
)

// DMA implements transport.Transport. Of several ranges it returns the largest.
func (d *Device) DMA() transport.DMA {
	dma := d.fn.DMA()
	w := transport.DMA{Physical: dma.Physical, Last: math.MaxUint64}
	if dma.Physical || len(dma.Ranges) == 0 {
		return w
	}
	largest := dma.Ranges[0]
	for _, r := range dma.Ranges {
		if r.Last-r.First > largest.Last-largest.First {
			largest = r
		}
	}
	w.First, w.Last = largest.First, largest.Last
	return w
}

// MapDMA implements transport.Transport. Behind an IOMMU the device address of
// memory is its virtual address, so that one buffer has the same address for
// every device; memory outside the function's ranges is a [*transport.Error].
// Without an IOMMU it is the physical address of each page.
func (d *Device) MapDMA(mem *hugepages.Memory) ([]uint64, error) {
	if d.closed {
		return nil, fmt.Errorf("%s: %w", d.Name(), os.ErrClosed)
	}
	if pages, ok := d.mapped[mem]; ok {
		return slices.Clone(pages), nil
	}
	var pages []uint64
	var err error
	if d.fn.DMA().Physical {
		if pages, err = mem.Physical(); err == nil {
			err = d.mapPages(pages, mem.Bytes())
		}
	} else {
		pages, err = d.mapVirtual(mem)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: mapping memory: %w", d.Name(), err)
	}
	d.mapped[mem] = pages
	return slices.Clone(pages), nil
}

// mapVirtual maps memory at its virtual address, in one piece.
func (d *Device) mapVirtual(mem *hugepages.Memory) ([]uint64, error) {
	first, b := mem.Address(), mem.Bytes()
	if len(b) == 0 {
		return nil, &transport.Error{Device: d.Name(), Op: "mapping memory",
			Reason: "it was released", Remedy: "map memory before it is released"}
	}
	last := first + uint64(len(b)) - 1
	if !reachable(d.fn.DMA().Ranges, first, last) {
		window := d.DMA()
		return nil, &transport.Error{Device: d.Name(),
			Op:     fmt.Sprintf("mapping memory at %#x to %#x", first, last),
			Reason: "the IOMMU cannot map it there",
			Remedy: fmt.Sprintf("allocate it between %#x and %#x", window.First, window.Last)}
	}
	if err := d.fn.MapDMA(first, b); err != nil {
		return nil, err
	}
	pages := make([]uint64, len(b)/mem.PageSize())
	for i := range pages {
		pages[i] = first + uint64(i)*uint64(mem.PageSize())
	}
	return pages, nil
}

// reachable reports whether one of the ranges holds all of first to last.
func reachable(ranges []pci.Range, first, last uint64) bool {
	if len(ranges) == 0 {
		return true
	}
	return slices.ContainsFunc(ranges,
		func(r pci.Range) bool { return r.First <= first && last <= r.Last })
}

// mapPages maps the pages that b consists of one by one, all or none.
func (d *Device) mapPages(pages []uint64, b []byte) error {
	if len(pages) == 0 {
		return nil
	}
	size := len(b) / len(pages)
	for i, page := range pages {
		if err := d.fn.MapDMA(page, b[i*size:(i+1)*size]); err != nil {
			return errors.Join(err, d.unmapPages(pages[:i], size))
		}
	}
	return nil
}

// unmapPages removes all mappings, also if one of them fails.
func (d *Device) unmapPages(pages []uint64, size int) error {
	var errs []error
	for _, page := range pages {
		errs = append(errs, d.fn.UnmapDMA(page, size))
	}
	return errors.Join(errs...)
}

// UnmapDMA implements transport.Transport. Memory that is not mapped is no
// error. While the device may be using it, the error is a [*transport.StopError] and
// the memory stays mapped.
func (d *Device) UnmapDMA(mem *hugepages.Memory) error {
	pages, ok := d.mapped[mem]
	if !ok {
		return nil
	}
	if d.mayDMA {
		return &transport.StopError{Device: d.Name(),
			Reason: "its queues are enabled and no reset was confirmed; reset it first"}
	}
	if len(pages) == 0 {
		delete(d.mapped, mem)
		return nil
	}
	var err error
	if d.fn.DMA().Physical {
		err = d.unmapPages(pages, mem.PageSize())
	} else {
		err = d.fn.UnmapDMA(pages[0], len(pages)*mem.PageSize())
	}
	if err != nil {
		return fmt.Errorf("%s: unmapping memory: %w", d.Name(), err)
	}
	delete(d.mapped, mem)
	return nil
}
