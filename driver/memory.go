package driver

import (
	"slices"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

const (
	// spareBuffers is how many buffers of a port's own pool are for the
	// application, for each queue pair: the burst in the formula of Config.Pool.
	spareBuffers = 1024
	// minData is room for an Ethernet frame of the usual size, which a receive
	// buffer should have whatever the MTU (5.1.9.3.1).
	minData = 1514
)

// attach maps a pool and has the transmit queues take its buffers.
func (d *device) attach(pool *mbuf.Pool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return closedError(d.name)
	}
	return d.attachPool(pool)
}

// attachPool maps a pool and has the transmit queues take its buffers. d.mu is
// held.
func (d *device) attachPool(pool *mbuf.Pool) error {
	// What was mapped stays so while queues are enabled, so a pool that cannot be
	// bound must not get that far.
	if err := (*mbuf.DriverPool)(pool).CheckBind(); err != nil {
		return err
	}
	pages, err := d.mapMemory((*mbuf.DriverPool)(pool).Memory())
	if err != nil {
		return err
	}
	if err := (*mbuf.DriverPool)(pool).Bind(pages); err != nil {
		return err
	}
	if slices.Contains(d.pools, pool) {
		return nil
	}
	for _, q := range d.tx {
		if err := q.addPool(pool); err != nil {
			return err
		}
	}
	d.pools = append(d.pools, pool)
	return nil
}

// mapMemory maps mem for the device and remembers it, once. d.mu is held.
func (d *device) mapMemory(mem *hugepages.Memory) ([]uint64, error) {
	pages, err := d.t.MapDMA(mem)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(d.attached, mem) {
		d.attached = append(d.attached, mem)
	}
	return pages, nil
}

// unmapMemory takes the mapping back. The device has been reset. d.mu is held.
func (d *device) unmapMemory(mem *hugepages.Memory) error {
	if err := d.t.UnmapDMA(mem); err != nil {
		return err
	}
	d.attached = slices.DeleteFunc(d.attached, func(m *hugepages.Memory) bool { return m == mem })
	return nil
}

// memoryOptions says where memory of the port's own comes from. d.mu is held.
func (d *device) memoryOptions(bytes int) hugepages.Options {
	o := d.cfg.Memory
	o.Bytes = bytes
	window := d.t.DMA()
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

// providePool makes the port's own pool, or checks the one it was given, and
// maps it. d.mu is held.
func (d *device) providePool(n *negotiated, rings []ringPlan) error {
	need := 0 // of data room, in each buffer
	if !n.features.Has(virtio.NetMrgRxbuf) {
		need = max(minData, max(n.mtu, n.deviceMTU)+l2Header+vlanTag)
	}
	if d.pool == nil {
		if err := d.makePool(need, rings); err != nil {
			return err
		}
	}
	if err := d.checkPool(n, need, rings); err != nil {
		return err
	}
	return d.attachPool(d.pool)
}

// makePool makes the port's own pool. d.mu is held.
func (d *device) makePool(dataRoom int, rings []ringPlan) error {
	count := spareBuffers * (len(rings) / 2)
	for _, r := range rings {
		count += r.cfg.Size + 2*cacheSize
	}
	pool, err := mbuf.NewPool(mbuf.Config{
		Count:    count,
		DataRoom: max(dataRoom, mbuf.DefaultDataRoom),
		Memory:   d.memoryOptions(0),
	})
	if err != nil {
		return err
	}
	d.pool, d.ownPool = pool, true
	return nil
}

// checkPool refuses a pool whose buffers are too small for what the device may
// send (5.1.4.2, 5.1.9.3.1). d.mu is held.
func (d *device) checkPool(n *negotiated, dataRoom int, rings []ringPlan) error {
	have := d.pool.DataRoom()
	if have < dataRoom {
		return &PoolError{Device: d.name, Value: have, Need: dataRoom,
			Reason: "bytes of data room in a buffer, without MRG_RXBUF",
			Remedy: "take a pool with a larger DataRoom, or have the host offer MRG_RXBUF or a smaller MTU"}
	}
	for i := range n.pairs {
		if room := have * rings[2*i].cfg.Size; n.deviceMTU != 0 && room < n.deviceMTU+l2Header+vlanTag {
			return &PoolError{Device: d.name, Value: room, Need: n.deviceMTU + l2Header + vlanTag,
				Reason: "bytes of data room in all buffers of a receive queue",
				Remedy: "take a larger RxQueueSize, or a pool with a larger DataRoom"}
		}
	}
	return nil
}
