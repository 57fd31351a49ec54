package driver

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/ctrlq"
	"github.com/virtio-pmd/virtio-pmd/driver/internal/virtq"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// indirectSize is the number of entries of an indirect table: 17 pages of 4 KiB hold
// the largest packet wherever it starts, and one more entry its header.
const indirectSize = 18

// largeIndirectSize is indirectSize with offloads that send packets as they were received:
// in buffers of 2 KiB.
const largeIndirectSize = 36

// indirectSize returns the number of entries of an indirect table.
func (n *negotiated) indirectSize() int {
	if n.features.Has(virtio.NetHostTSO4) || n.features.Has(virtio.NetHostTSO6) ||
		n.features.Has(virtio.NetHostUSO) {
		return largeIndirectSize
	}
	return indirectSize
}

// The names of rings: the field of Config that has their size, or for the control queue,
// for which there is none, what it is.
const (
	rxQueueSize  = "RxQueueSize"
	txQueueSize  = "TxQueueSize"
	controlQueue = "control queue"
)

// ringPlan is one virtqueue that is about to be set up.
type ringPlan struct {
	cfg    virtq.Config
	name   string // rxQueueSize, txQueueSize or controlQueue
	extra  int    // bytes of memory behind the ring, for commands
	limit  int    // descriptors that the device allows
	bytes  int    // of memory that it needs
	offset int    // in the memory of all rings

	room    []byte // the memory that it has, which may be more than it needs
	address uint64 // of room, as the device sees it
}

// planRings lists the virtqueues to be used with their sizes, receiveq and
// transmitq of each pair in turn, the control queue last. d.mu is held.
func (d *device) planRings(n *negotiated) ([]ringPlan, error) {
	var rings []ringPlan
	for i := range n.pairs {
		rings = append(rings,
			ringPlan{name: rxQueueSize, cfg: virtq.Config{
				Index: virtio.RxQueueIndex(i), Size: d.cfg.RxQueueSize}},
			ringPlan{name: txQueueSize, cfg: virtq.Config{
				Index: virtio.TxQueueIndex(i), Size: d.cfg.TxQueueSize,
				IndirectSize: n.indirectSize(), MaxFrame: n.maxFrame(d.cfg.MTU)}})
	}
	if n.features.Has(virtio.NetCtrlVQ) {
		rings = append(rings, ringPlan{name: controlQueue, extra: ctrlq.Room(n.rss.commandLen()),
			cfg: virtq.Config{Index: virtio.CtrlQueueIndex(n.features, n.maxPairs)}})
	}
	for i := range rings {
		r := &rings[i]
		r.cfg.Features = n.features
		if size, ok := d.resized[r.cfg.Index]; ok {
			r.cfg.Size = size
		}
		if err := d.readLimit(r); err != nil {
			return nil, err
		}
		if err := d.selectSize(r); err != nil {
			return nil, err
		}
	}
	return rings, nil
}

// readLimit reads the largest size of a ring, which the device shows until the ring is set
// up. d.mu is held.
func (d *device) readLimit(r *ringPlan) error {
	limit, err := d.t.QueueSize(r.cfg.Index)
	r.limit = min(limit, virtio.MaxQueueSize)
	if err != nil || r.limit >= 1 {
		return err
	}
	return &Error{Device: d.name,
		Field:  fmt.Sprintf("size of virtqueue %d", r.cfg.Index),
		Value:  limit,
		Reason: "the device does not have this virtqueue",
		Remedy: "ask for fewer queue pairs, or restart or update what provides the device"}
}

// selectSize selects the size of a ring. What was asked for is taken or refused, never
// changed.
func (d *device) selectSize(r *ringPlan) error {
	split := !r.cfg.Features.Has(virtio.RingPacked)
	size := r.cfg.Size
	switch {
	case size == 0:
		size = min(r.limit, DefaultQueueSize)
		if r.name == controlQueue {
			size = min(r.limit, ctrlq.QueueSize)
		}
		if split { // the maximum of a device may be a size that no split ring can have
			size = 1 << (bits.Len(uint(size)) - 1)
		}
	case size > r.limit:
		return &Error{Device: d.name, Field: r.name, Value: size,
			Reason: fmt.Sprintf("virtqueue %d of the device has at most %d descriptors", r.cfg.Index, r.limit),
			Remedy: fmt.Sprintf("ask for %d or less, or have the host offer more", r.limit)}
	case split:
		if size&(size-1) != 0 {
			return splitSizeError(d.name, r.name, size)
		}
	}
	r.cfg.Size = size
	layout, err := r.cfg.Layout()
	if err != nil {
		return err
	}
	r.bytes = layout.Bytes + r.extra
	return nil
}

// placeRings gives each ring its offset and returns the bytes they take. If page is
// not 0, no ring may cross a multiple of it: physical addresses are contiguous only
// within a page.
func (d *device) placeRings(rings []ringPlan, page int) (int, error) {
	end := 0
	for i := range rings {
		r := &rings[i]
		end = (end + virtq.RingAlign - 1) &^ (virtq.RingAlign - 1)
		if page != 0 && end/page != (end+r.bytes-1)/page {
			end = (end + page - 1) / page * page
		}
		if page != 0 && r.bytes > page {
			return 0, d.pageError(r, page)
		}
		r.offset = end
		end += r.bytes
	}
	return end, nil
}

// pageError is the error of a ring that is larger than a page.
func (d *device) pageError(r *ringPlan, page int) error {
	return &Error{Device: d.name,
		Op: fmt.Sprintf("virtqueue %d", r.cfg.Index), Field: "bytes of ring", Value: r.bytes,
		Reason: fmt.Sprintf("the device takes physical addresses, "+
			"so it needs the ring in one page of %d bytes", page),
		Remedy: "take a smaller queue, refuse INDIRECT_DESC, or set Memory.PageSize to 1 GiB"}
}

// allocateRings gives the rings memory that the device can reach. d.mu is held.
func (d *device) allocateRings(rings []ringPlan) error {
	if err := d.fitRings(rings); err != nil {
		return err
	}
	pages, err := d.mapMemory(d.rings)
	if err != nil {
		return err
	}
	size := d.rings.PageSize()
	for i := range rings {
		r := &rings[i]
		r.room = d.rings.Bytes()[r.offset : r.offset+r.bytes : r.offset+r.bytes]
		r.address = pages[r.offset/size] + uint64(r.offset%size)
		r.useRoom()
	}
	return nil
}

// useRoom puts the ring at the beginning of its room.
func (r *ringPlan) useRoom() {
	r.cfg.Memory, r.cfg.Address = r.room[:r.bytes:r.bytes], r.address
}

// allocateLarger gives a ring that has outgrown its room memory of its own, of a power of
// two, so that rings which grow step by step take no more than twice what they need. The
// next reset puts it beside the others again. d.mu is held.
func (d *device) allocateLarger(r *ringPlan) error {
	mem, err := hugepages.Allocate(d.memoryOptions(1 << bits.Len(uint(r.bytes-1))))
	if err != nil {
		return err
	}
	if page := mem.PageSize(); d.t.DMA().Physical && r.bytes > page {
		return errors.Join(d.pageError(r, page), mem.Release())
	}
	pages, err := d.mapMemory(mem)
	if err != nil {
		return errors.Join(err, mem.Release())
	}
	d.larger = append(d.larger, mem)
	r.room, r.address = mem.Bytes(), pages[0]
	return nil
}

// releaseLarger releases the memory of rings that had outgrown the common one. The device
// has been reset. d.mu is held.
func (d *device) releaseLarger() error {
	for len(d.larger) != 0 {
		mem := d.larger[0]
		if err := d.unmapMemory(mem); err != nil {
			return err
		}
		d.larger = d.larger[1:]
		if err := mem.Release(); err != nil {
			return err
		}
	}
	return nil
}

// fitRings places the rings and makes d.rings hold them. The memory that the rings
// had before a reset is used again if it is large enough. d.mu is held.
func (d *device) fitRings(rings []ringPlan) error {
	physical := d.t.DMA().Physical
	page := 0
	if physical {
		if page = d.cfg.Memory.PageSize; page == 0 {
			page = commonHugepage
		}
	}
	for {
		need, err := d.placeRings(rings, page)
		if err != nil {
			return err
		}
		if d.rings != nil && len(d.rings.Bytes()) < need {
			if err := d.releaseRings(); err != nil {
				return err
			}
		}
		if d.rings == nil {
			if d.rings, err = hugepages.Allocate(d.memoryOptions(need)); err != nil {
				return err
			}
		}
		got := d.rings.PageSize()
		if !physical || got >= page {
			return nil
		}
		page = got // the pages are smaller than assumed: place the rings again
	}
}

// releaseRings releases the memory of the rings. The device has been reset. d.mu is
// held.
func (d *device) releaseRings() error {
	mem := d.rings
	if err := d.unmapMemory(mem); err != nil {
		return err
	}
	d.rings = nil
	return mem.Release()
}

// commonHugepage is the page size that rings are placed for before it is known which
// pages there are. Larger pages are multiples of it.
const commonHugepage = 2 << 20
