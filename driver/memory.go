package driver

import (
	"fmt"
	"slices"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/gate"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

const (
	// spareBuffers is how many buffers of a port's own pool are for the
	// application, for each queue pair: the burst in the formula of Config.Pool.
	spareBuffers = 1024
	// MinSpare is how many buffers a pool has to have for each transmit queue that can
	// send them, besides those in receive rings: see [Config].Pool.
	MinSpare = mbuf.DriverSpare
	// minData is room for an Ethernet frame of the usual size, which a receive
	// buffer should have whatever the MTU (5.1.9.3.1).
	minData = 1514
)

// attachment is a pool whose memory is mapped for the device. It holds the pool: no
// one else releases the memory meanwhile.
type attachment struct {
	pool *mbuf.Pool
	user *mbuf.DriverUser
	// detached says that no queue takes its buffers any more, and that the memory is to
	// be unmapped when the transport allows it.
	detached bool
}

// attach maps a pool and has the transmit queues take its buffers.
func (d *device) attach(pool *mbuf.Pool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return closedError(d.name)
	}
	if pool == d.pool {
		return nil
	}
	return d.attachPool(pool, mbuf.DriverNeed{TxQueues: len(d.tx)})
}

// attachPool holds a pool, maps it and has the transmit queues take its buffers, or
// does nothing of it. d.mu is held.
func (d *device) attachPool(pool *mbuf.Pool, need mbuf.DriverNeed) error {
	a := d.attachment(pool)
	if a != nil && a.detached { // and not unmapped yet
		if err := (*mbuf.DriverPool)(pool).CheckReleased(); err != nil {
			return err
		}
	}
	if a == nil {
		user, err := (*mbuf.DriverPool)(pool).Use()
		if err != nil {
			return err
		}
		a = &attachment{pool: pool, user: user, detached: true}
		d.attachments = append(d.attachments, a)
	}
	err := d.mapPool(a, need)
	if a.detached {
		d.unmapDetached()
	}
	return err
}

// mapPool makes an attachment of a pool complete, or leaves it as it is. d.mu is held.
func (d *device) mapPool(a *attachment, need mbuf.DriverNeed) error {
	driver := (*mbuf.DriverPool)(a.pool)
	// What was mapped may stay so while queues are enabled, so a pool that cannot be
	// bound must not get that far.
	if err := driver.CheckBind(); err != nil {
		return err
	}
	if err := d.claim(a, need); err != nil {
		return err
	}
	pages, err := d.mapMemory(driver.Memory())
	if err != nil {
		return err
	}
	if err := driver.Bind(pages); err != nil {
		return err
	}
	for _, q := range d.tx {
		if err := q.addPool(a.pool); err != nil {
			return err
		}
	}
	a.detached = false
	return nil
}

// claim says what the port needs of a pool. d.mu is held.
func (d *device) claim(a *attachment, need mbuf.DriverNeed) error {
	least, ok := a.user.Claim(need)
	if ok {
		return nil
	}
	return &PoolError{Device: d.name, Value: a.pool.Size(), Need: least,
		Reason: fmt.Sprintf("buffers, of which those in the receive rings of all its ports "+
			"and %d for each of their transmit queues are taken", MinSpare),
		Remedy: "make the pool as large, or ask for a smaller RxQueueSize or fewer Queues"}
}

// attachment returns that of a pool, nil if there is none. d.mu is held.
func (d *device) attachment(pool *mbuf.Pool) *attachment {
	for _, a := range d.attachments {
		if a.pool == pool {
			return a
		}
	}
	return nil
}

// attachedPools returns the pools whose buffers can be sent. d.mu is held.
func (d *device) attachedPools() []*mbuf.Pool {
	var pools []*mbuf.Pool
	for _, a := range d.attachments {
		if !a.detached {
			pools = append(pools, a.pool)
		}
	}
	return pools
}

// detach has the transmit queues refuse the buffers of a pool again, and unmaps it.
func (d *device) detach(pool *mbuf.Pool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return closedError(d.name)
	}
	a := d.attachment(pool)
	if a == nil || a.detached {
		return nil
	}
	if pool == d.pool {
		return d.poolInUse("the port receives into it", "close the port")
	}
	if err := d.removePool(pool); err != nil {
		return err
	}
	a.detached = true
	d.unmapDetached()
	return nil
}

// removePool takes a pool out of all transmit queues, or out of none. Their pollers are
// kept out meanwhile. d.mu is held.
func (d *device) removePool(pool *mbuf.Pool) error {
	d.gateMu.Lock()
	defer d.gateMu.Unlock()
	gates := make([]*gate.Gate, len(d.tx))
	for i, q := range d.tx {
		gates[i] = &q.gate
	}
	defer func() {
		for i := range gates {
			d.openGate(virtio.TxQueueIndex(i))
		}
	}()
	if gate.Close(gates, burstLimit) >= 0 {
		return d.poolInUse(fmt.Sprintf("a transmit queue has been in a burst for %v", burstLimit),
			"end the goroutine that polls it")
	}
	for i, q := range d.tx {
		posted, cached := q.removePool(pool)
		if posted == 0 && !cached {
			continue
		}
		for _, before := range d.tx[:i] {
			_ = before.addPool(pool) // it was there
		}
		if cached {
			return d.poolInUse(fmt.Sprintf("transmit queue %d uses a cache of it", i),
				"call SetCache(nil) first")
		}
		return d.poolInUse(fmt.Sprintf("%d of its buffers are posted in transmit queue %d", posted, i),
			"stop sending them, and call Reclaim until all are back")
	}
	return nil
}

// poolInUse returns the error of a pool that cannot be detached.
func (d *device) poolInUse(reason, remedy string) error {
	return &Error{Device: d.name, Op: "detach pool", Reason: reason, Remedy: remedy, kind: mbuf.ErrInUse}
}

// unmapDetached unmaps the pools that were detached, as far as the transport allows it:
// some do so only after a reset. d.mu is held.
func (d *device) unmapDetached() {
	d.attachments = slices.DeleteFunc(d.attachments, func(a *attachment) bool {
		if !a.detached {
			return false
		}
		if err := d.unmapMemory((*mbuf.DriverPool)(a.pool).Memory()); err != nil {
			d.log.Debug("a detached pool stays mapped until the device is reset", "err", err)
			return false
		}
		d.closeUser(a)
		return true
	})
}

// closeUser gives up the hold on a pool whose memory is not mapped any more.
func (d *device) closeUser(a *attachment) {
	if err := a.user.Close(); err != nil {
		d.log.Warn("a pool that was released has buffers in use", "err", err)
	}
}

// mapMemory maps mem for the device and remembers it, once. d.mu is held.
func (d *device) mapMemory(mem *hugepages.Memory) ([]uint64, error) {
	pages, err := d.t.MapDMA(mem)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(d.mapped, mem) {
		d.mapped = append(d.mapped, mem)
	}
	return pages, nil
}

// unmapMemory takes the mapping back. The device has been reset. d.mu is held.
func (d *device) unmapMemory(mem *hugepages.Memory) error {
	if err := d.t.UnmapDMA(mem); err != nil {
		return err
	}
	d.mapped = slices.DeleteFunc(d.mapped, func(m *hugepages.Memory) bool { return m == mem })
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
	return d.attachPool(d.pool, poolNeed(rings))
}

// poolNeed returns what these rings need of the pool that they are filled from.
func poolNeed(rings []ringPlan) mbuf.DriverNeed {
	var need mbuf.DriverNeed
	for _, r := range rings {
		switch r.name {
		case rxQueueSize:
			need.RxBuffers += r.cfg.Size
		case txQueueSize:
			need.TxQueues++
		}
	}
	return need
}

// makePool makes the port's own pool. d.mu is held.
func (d *device) makePool(dataRoom int, rings []ringPlan) error {
	count := 0
	for _, r := range rings {
		switch r.name {
		case rxQueueSize:
			count += r.cfg.Size + spareBuffers
		case txQueueSize: // two thirds of what is spare are theirs
			count += r.cfg.Size*3/2 + 4*cacheSize
		}
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
	for i := range rings {
		if err := d.checkRoom(n, &rings[i]); err != nil {
			return err
		}
	}
	return nil
}

// checkRoom refuses a receive ring that cannot hold the largest packet that the device may
// send (5.1.4.2). d.mu is held.
func (d *device) checkRoom(n *negotiated, r *ringPlan) error {
	least := n.deviceMTU + l2Header + vlanTag
	room := d.pool.DataRoom() * r.cfg.Size
	if r.name != rxQueueSize || n.deviceMTU == 0 || room >= least {
		return nil
	}
	return &PoolError{Device: d.name, Value: room, Need: least,
		Reason: "bytes of data room in all buffers of a receive queue",
		Remedy: "take a larger RxQueueSize, or a pool with a larger DataRoom"}
}
