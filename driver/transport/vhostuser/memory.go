package vhostuser

import (
	"errors"
	"math"
	"slices"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// DMA implements transport.Transport. Memory may be at any address.
func (d *Device) DMA() transport.DMA { return transport.DMA{Last: math.MaxUint64} }

// MapDMA implements transport.Transport. The device address of memory is its
// virtual address. The memory is shared with the back end when the first queue is
// set up, or at once if there is one already; rings are disabled meanwhile. Without
// a connection the memory is shared over the next one, also if the connection ends
// here because the back end refuses to disable or enable its rings. One piece of
// memory more than the back end takes is an [*Error].
func (d *Device) MapDMA(mem *hugepages.Memory) ([]uint64, error) {
	if d.closed {
		_, err := d.current()
		return nil, err
	}
	if len(mem.Bytes()) == 0 {
		return nil, &transport.Error{Device: d.name, Op: "mapping memory",
			Reason: "it was released", Remedy: "map memory before it is released"}
	}
	if !slices.Contains(d.mapped, mem) {
		d.mapped = append(d.mapped, mem)
		if err := d.shareNow(); err != nil {
			d.mapped = d.mapped[:len(d.mapped)-1]
			return nil, err
		}
	}
	pages := make([]uint64, len(mem.Bytes())/mem.PageSize())
	for i := range pages {
		pages[i] = mem.Address() + uint64(i)*uint64(mem.PageSize())
	}
	return pages, nil
}

// shareNow shares the mapped memory with a back end that has rings already.
func (d *Device) shareNow() error {
	s, err := d.current()
	if err != nil {
		return nil // the next connection gets it all
	}
	if len(d.mapped) > s.slots {
		return regionError(d.name, len(d.mapped), s.slots)
	}
	if len(s.rings) == 0 {
		return nil // SetQueue will share it
	}
	err = s.withBudget(func() error {
		return s.withRingsDisabled(func() error { return s.share(d.regions()) })
	})
	if errors.Is(err, transport.ErrDisconnected) {
		return nil
	}
	return err
}

// UnmapDMA implements transport.Transport. Memory that is not mapped is no
// error. While rings are in use it is a *transport.StopError, and the memory
// stays mapped.
func (d *Device) UnmapDMA(mem *hugepages.Memory) error {
	i := slices.Index(d.mapped, mem)
	if i < 0 {
		return nil
	}
	if s, err := d.current(); err == nil {
		if len(s.rings) != 0 {
			return &transport.StopError{Device: d.name,
				Reason: "its queues are in use; reset it first"}
		}
		s.unshare(regionOf(mem))
	}
	d.mapped = slices.Delete(d.mapped, i, i+1)
	return nil
}

// regions returns the mapped memory as the back end sees it.
func (d *Device) regions() []region {
	list := make([]region, len(d.mapped))
	for i, mem := range d.mapped {
		list[i] = regionOf(mem)
	}
	return list
}

func regionOf(mem *hugepages.Memory) region {
	return region{guest: mem.Address(), size: uint64(len(mem.Bytes())), user: mem.Address(),
		fd: mem.FD()}
}

// share gives the back end those of these regions that it does not have.
func (s *session) share(regions []region) error {
	if len(regions) > s.slots {
		return regionError(s.name, len(regions), s.slots)
	}
	if slices.Equal(regions, s.memory) {
		return nil
	}
	if !s.has(protocolMemSlots) {
		if err := s.command(memTable(regions), ""); err != nil {
			return err
		}
		s.memory = regions
		return s.fence()
	}
	for _, r := range regions {
		if slices.Contains(s.memory, r) {
			continue
		}
		if err := s.command(memRegion(addMemReg, r), ""); err != nil {
			return err
		}
		s.memory = append(s.memory, r)
	}
	return s.fence()
}

// unshare takes a region back from a back end whose rings are stopped. The
// connection to one that refuses is ended.
func (s *session) unshare(r region) {
	i := slices.Index(s.memory, r)
	if i < 0 {
		return
	}
	if !s.has(protocolMemSlots) {
		s.memory = nil // the whole table is sent again before the next ring starts
		return
	}
	s.memory = slices.Delete(s.memory, i, i+1)
	if err := s.command(memRegion(remMemReg, r), ""); err != nil {
		s.end(err)
	}
}
