package driver

import (
	"fmt"
	"math/bits"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/ctrlq"
	"github.com/virtio-pmd/virtio-pmd/driver/internal/virtq"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// segments is the number of entries of an indirect table: 17 pages of 4 KiB
// hold the largest packet wherever it starts, and one more has its header.
const segments = 18

// ring is one virtqueue on its way to the device.
type ring struct {
	cfg    virtq.Config
	name   string // of the field of Config that has its size, or of the queue
	bytes  int    // of memory that it needs
	offset int    // in the memory of all rings
}

// planRings lists the virtqueues to be used with their sizes, receiveq and
// transmitq of each pair in turn, the control queue last.
func (p *Port) planRings(a *terms) ([]ring, error) {
	var rings []ring
	for i := range a.pairs {
		rings = append(rings,
			ring{name: "RxQueueSize", cfg: virtq.Config{Index: virtio.RxQueueIndex(i), Size: p.cfg.RxQueueSize}},
			ring{name: "TxQueueSize", cfg: virtq.Config{Index: virtio.TxQueueIndex(i), Size: p.cfg.TxQueueSize,
				IndirectSize: segments, MaxFrame: a.maxFrame(p.cfg.MTU)}})
	}
	if a.features.Has(virtio.NetCtrlVQ) {
		rings = append(rings, ring{name: "control queue", cfg: virtq.Config{Index: virtio.CtrlQueueIndex(a.features, a.maxPairs)}})
	}
	for i := range rings {
		r := &rings[i]
		r.cfg.Features = a.features
		if err := p.chooseSize(r); err != nil {
			return nil, err
		}
		layout, err := r.cfg.Layout()
		if err != nil {
			return nil, err
		}
		r.bytes = layout.Bytes
		if r.name == "control queue" {
			r.bytes += ctrlq.BufferSize
		}
	}
	return rings, nil
}

// chooseSize settles the size of a ring. What was asked for is taken or
// refused, never changed.
func (p *Port) chooseSize(r *ring) error {
	limit, err := p.t.QueueSize(r.cfg.Index)
	if err != nil {
		return err
	}
	limit = min(limit, virtio.MaxQueueSize)
	split := !r.cfg.Features.Has(virtio.RingPacked)
	if limit < 1 {
		return &QueueSizeError{Name: fmt.Sprintf("virtqueue %d", r.cfg.Index), Size: limit,
			Reason: "the device does not have this virtqueue", Remedy: "ask for fewer queue pairs, or have the device repaired"}
	}
	size := r.cfg.Size
	switch {
	case size == 0:
		size = min(limit, DefaultQueueSize)
		if r.name == "control queue" {
			size = min(limit, ctrlq.QueueSize)
		}
		if split { // a device may show a maximum that no split ring can have
			size = 1 << (bits.Len(uint(size)) - 1)
		}
	case size > limit:
		return &QueueSizeError{Name: r.name, Size: size, Max: limit,
			Reason: fmt.Sprintf("virtqueue %d of the device has at most %d descriptors", r.cfg.Index, limit),
			Remedy: fmt.Sprintf("ask for %d or less, or have the host offer more", limit)}
	case split:
		if err := checkSplit(r.name, size); err != nil {
			return err
		}
	}
	r.cfg.Size = size
	return nil
}

// placeRings gives each ring its place and returns the bytes they take. With
// page not 0 no ring may cross a multiple of it: those are the places where
// physical addresses do not run on.
func (p *Port) placeRings(rings []ring, page int) (int, error) {
	end := 0
	for i := range rings {
		r := &rings[i]
		end = (end + virtq.RingAlign - 1) &^ (virtq.RingAlign - 1)
		if page != 0 && end/page != (end+r.bytes-1)/page {
			end = (end + page - 1) / page * page
		}
		if page != 0 && r.bytes > page {
			return 0, &RingMemoryError{Device: p.name, Queue: r.cfg.Index, Bytes: r.bytes, PageSize: page}
		}
		r.offset = end
		end += r.bytes
	}
	return end, nil
}

// allocateRings gives the rings memory that the device can reach.
func (p *Port) allocateRings(rings []ring) error {
	if err := p.fitRings(rings); err != nil {
		return err
	}
	pages, err := p.mapMemory(p.rings)
	if err != nil {
		return err
	}
	size := p.rings.PageSize()
	for i := range rings {
		r := &rings[i]
		r.cfg.Memory = p.rings.Bytes()[r.offset : r.offset+r.bytes : r.offset+r.bytes]
		r.cfg.Address = pages[r.offset/size] + uint64(r.offset%size)
	}
	return nil
}

// fitRings places the rings and makes p.rings hold them. The memory of an
// earlier life is used again if it is large enough.
func (p *Port) fitRings(rings []ring) error {
	physical := p.t.DMA().Physical
	page := 0
	if physical {
		if page = p.cfg.Memory.PageSize; page == 0 {
			page = commonHugepage
		}
	}
	for {
		need, err := p.placeRings(rings, page)
		if err != nil {
			return err
		}
		if p.rings != nil && len(p.rings.Bytes()) < need {
			if err := p.dropRings(); err != nil {
				return err
			}
		}
		if p.rings == nil {
			if p.rings, err = hugepages.Allocate(p.memory(need)); err != nil {
				return err
			}
		}
		got := p.rings.PageSize()
		if !physical || got >= page {
			return nil
		}
		page = got // the pages are smaller than was thought: place them again
	}
}

// dropRings gives the memory of the rings back. The device has been reset.
func (p *Port) dropRings() error {
	mem := p.rings
	if err := p.unmapMemory(mem); err != nil {
		return err
	}
	p.rings = nil
	return mem.Release()
}

// commonHugepage is what rings are laid out for before it is known which pages
// there are. Most larger ones are multiples of it.
const commonHugepage = 2 << 20

// memory says where memory of the port's own comes from.
func (p *Port) memory(bytes int) hugepages.Options {
	o := p.cfg.Memory
	o.Bytes = bytes
	window := p.t.DMA()
	if o.First != 0 || o.Last != 0 || window.Physical {
		return o
	}
	first := max(window.First, hugepages.DefaultFirst)
	last := min(window.Last, hugepages.DefaultLast)
	if first < last {
		o.First, o.Last = first, last
	} else {
		o.First, o.Last = window.First, window.Last
	}
	return o
}
