package driver

import (
	"context"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/ctrlq"
	"github.com/virtio-pmd/virtio-pmd/driver/internal/virtq"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

const (
	// spareBuffers is how many buffers of a port's own pool are for the
	// application, for each queue pair.
	spareBuffers = 1024
	// minData is room for an Ethernet frame of the usual size, which a receive
	// buffer should have whatever the MTU (5.1.9.3.1).
	minData = 1514
)

// setUpQueues gives the device its virtqueues and fills the receive queues.
func (p *Port) setUpQueues(a *terms) error {
	rings, err := p.planRings(a)
	if err != nil {
		return err
	}
	if err := p.allocateRings(rings); err != nil {
		return err
	}
	if err := p.providePool(a, rings); err != nil {
		return err
	}
	p.makeQueues(a.pairs)
	for i := range a.pairs {
		if err := p.rx[i].setUp(&rings[2*i]); err != nil {
			return err
		}
		if err := p.tx[i].setUp(&rings[2*i+1]); err != nil {
			return err
		}
	}
	if rest := rings[2*a.pairs:]; len(rest) != 0 {
		return p.setUpControl(&rest[0])
	}
	return nil
}

// makeQueues makes the queues of a new port, with their gates closed.
func (p *Port) makeQueues(pairs int) {
	if len(p.rx) != 0 {
		return
	}
	cache := min(cacheSize, p.pool.Size()/(16*pairs))
	for i := range pairs {
		rx := &RxQueue{queue: queue{port: p, index: virtio.RxQueueIndex(i), own: p.pool.NewCache(cache)}}
		tx := &TxQueue{queue: queue{port: p, index: virtio.TxQueueIndex(i), own: p.pool.NewCache(cache)}}
		for _, q := range []*queue{&rx.queue, &tx.queue} {
			q.cache = q.own
			q.gate.Init(true)
		}
		p.rx = append(p.rx, rx)
		p.tx = append(p.tx, tx)
	}
}

// setUp makes the ring, hands it to the device and fills it. The gate is closed.
func (q *RxQueue) setUp(r *ring) error {
	// The queue's own cache fills the ring: one that SetCache gave is in use by
	// a goroutine that goes on polling other queues with it.
	made, err := virtq.NewRx(r.cfg, q.own)
	if err != nil {
		return err
	}
	q.port.statMu.Lock()
	q.ring = made
	q.port.statMu.Unlock()
	if err := q.hand(made, r); err != nil {
		return err
	}
	made.Refill()
	return q.adopt()
}

// setUp makes the ring and hands it to the device. The gate is closed.
func (q *TxQueue) setUp(r *ring) error {
	// Sent packets must not be what a small pool lacks when there is something
	// to receive again.
	r.cfg.MaxInFlight = max(1, q.port.pool.Size()/(4*len(q.port.tx)))
	made, err := virtq.NewTx(r.cfg, q.own)
	if err != nil {
		return err
	}
	q.port.statMu.Lock()
	q.ring = made
	q.port.statMu.Unlock()
	for _, pool := range q.port.pools {
		if err := made.AddPool(pool); err != nil {
			return err
		}
	}
	if err := q.hand(made, r); err != nil {
		return err
	}
	return q.adopt()
}

// hand gives a ring to the device and enables it.
func (q *queue) hand(made anyRing, r *ring) error {
	q.any, q.reported = made, false
	desc, driver, device := made.Areas()
	bell, err := q.port.place(r, desc, driver, device)
	q.bell, q.bellID = bell.Doorbell, bell.ID
	return err
}

// adopt has the ring use the cache that the application wants.
func (q *queue) adopt() error {
	if q.cache == q.own {
		return nil
	}
	q.own.Flush()
	return q.any.SetCache(q.cache)
}

// place hands a ring to the device and returns its doorbell.
func (p *Port) place(r *ring, desc, driver, device uint64) (transport.Notifier, error) {
	return p.t.SetQueue(r.cfg.Index, transport.Queue{
		Size: r.cfg.Size, Desc: desc, Driver: driver, Device: device,
		NotificationData: r.cfg.Features.Has(virtio.NotificationData),
		NotifConfigData:  r.cfg.Features.Has(virtio.NotifConfigData),
	})
}

// setUpControl makes the control queue and hands it to the device.
func (p *Port) setUpControl(r *ring) error {
	control, err := ctrlq.New(r.cfg)
	if err != nil {
		return err
	}
	desc, driver, device := control.Areas()
	bell, err := p.place(r, desc, driver, device)
	if err != nil {
		return err
	}
	p.ctrl, p.ctrlBell = control, bell
	return nil
}

// startQueues says that DRIVER_OK is set.
func (p *Port) startQueues() {
	for i := range p.rx {
		p.rx[i].ring.Start(p.rx[i].bell, p.rx[i].bellID)
		p.tx[i].ring.Start(p.tx[i].bell, p.tx[i].bellID)
	}
	if p.ctrl != nil {
		p.ctrl.Start(p.ctrlBell.Doorbell, p.ctrlBell.ID)
	}
}

// enablePairs has the device use all the queue pairs: until it is told so it
// uses one (5.1.9.5.5).
func (p *Port) enablePairs(pairs int) error {
	if pairs == 1 {
		return nil
	}
	if setter, ok := p.t.(transport.QueuePairSetter); ok {
		return setter.SetQueuePairs(pairs)
	}
	ctx, cancel := context.WithTimeout(p.ctx, p.cfg.ControlTimeout)
	defer cancel()
	return p.ctrl.SetQueuePairs(ctx, pairs)
}

// providePool makes the port's own pool, or checks the one it was given, and
// maps it.
func (p *Port) providePool(a *terms, rings []ring) error {
	need := 0 // of data room, in each buffer
	if !a.features.Has(virtio.NetMrgRxbuf) {
		need = max(minData, max(a.mtu, a.deviceMTU)+l2Header+vlanTag)
	}
	if p.pool == nil {
		if p.pool = p.cfg.Pool; p.pool == nil {
			if err := p.makePool(need, rings); err != nil {
				return err
			}
		}
	}
	if err := p.checkPool(a, need, rings); err != nil {
		return err
	}
	return p.attach(p.pool)
}

// makePool makes the port's own pool.
func (p *Port) makePool(dataRoom int, rings []ring) error {
	count := spareBuffers * (len(rings) / 2)
	for _, r := range rings {
		count += r.cfg.Size + 2*cacheSize
	}
	pool, err := mbuf.NewPool(mbuf.Config{
		Count:    count,
		DataRoom: max(dataRoom, mbuf.DefaultDataRoom),
		Memory:   p.memory(0),
	})
	p.pool, p.ownPool = pool, err == nil
	return err
}

// checkPool finds a pool whose buffers are too small for what the device may
// send (5.1.4.2, 5.1.9.3.1).
func (p *Port) checkPool(a *terms, dataRoom int, rings []ring) error {
	have := p.pool.DataRoom()
	if have < dataRoom {
		return &PoolError{Device: p.name, Value: have, Need: dataRoom,
			Reason: "bytes of data room in a buffer, without MRG_RXBUF",
			Remedy: "take a pool with a larger DataRoom, or have the host offer MRG_RXBUF or a smaller MTU"}
	}
	for i := range a.pairs {
		if room := have * rings[2*i].cfg.Size; a.deviceMTU != 0 && room < a.deviceMTU+l2Header+vlanTag {
			return &PoolError{Device: p.name, Value: room, Need: a.deviceMTU + l2Header + vlanTag,
				Reason: "bytes of data room in all buffers of a receive queue",
				Remedy: "take a larger RxQueueSize, or a pool with a larger DataRoom"}
		}
	}
	return nil
}
