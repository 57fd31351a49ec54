package driver

import (
	"github.com/virtio-pmd/virtio-pmd/driver/internal/gate"
	"github.com/virtio-pmd/virtio-pmd/driver/internal/virtq"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// cacheSize is how many free buffers a queue trades with the pool at a time.
const cacheSize = 256

// RxQueue is a receive queue. It belongs to the goroutine that polls it; Stats
// may be called from any.
type RxQueue struct {
	queue
	ring *virtq.Rx    // the one in use, nil for none
	past RxQueueStats // of the rings before the last reset
}

// TxQueue is a transmit queue. It belongs to the goroutine that polls it; Stats
// may be called from any.
type TxQueue struct {
	queue
	ring *virtq.Tx    // the one in use, nil for none
	past TxQueueStats // of the rings before the last reset
}

// queue is what both directions have in common.
type queue struct {
	gate  gate.Gate
	port  *Port
	index int         // the virtqueue
	own   *mbuf.Cache // used unless SetCache gave another
	cache *mbuf.Cache

	any      anyRing // the ring in use, nil for none, where an interface call does not matter
	bell     virtio.Doorbell
	bellID   uint16
	reported bool // the ring is broken and the supervisor knows
}

// anyRing is what rings of both formats and both directions have in common.
type anyRing interface {
	Areas() (desc, driver, device uint64)
	Start(bell virtio.Doorbell, id uint16)
	SetCache(c *mbuf.Cache) error
	Drain() int
	Broken() error
	Posted() int
}

// Burst fills bufs with received packets and returns how many. It never waits.
// The packets are the caller's. One that is longer than a buffer is a chain. 0
// comes back when there is nothing, and from a port that failed, is being
// recovered, or is closed.
func (q *RxQueue) Burst(bufs []*mbuf.Buf) int {
	if !q.gate.Enter() {
		return 0
	}
	n := q.ring.Burst(bufs)
	if n == 0 && q.ring.Broken() != nil {
		q.report()
	}
	q.gate.Leave()
	return n
}

// Burst takes packets from the front of bufs for transmission and returns how
// many; they are freed when the device has sent them. The rest stays the
// caller's. It never waits. A packet that cannot be sent at all, as one that is
// longer than the MTU allows, is taken, freed and counted. 0 comes back when
// there is no room, and from a port that failed, is being recovered, or is
// closed.
func (q *TxQueue) Burst(bufs []*mbuf.Buf) int {
	if !q.gate.Enter() {
		return 0
	}
	n := q.ring.Burst(bufs)
	if n == 0 && q.ring.Broken() != nil {
		q.report()
	}
	q.gate.Leave()
	return n
}

// Reclaim takes back the packets that the device has sent by now, and returns how
// many buffers they were. Burst does so by itself when there are many; who needs
// the last ones back after sending has ended, to release a pool or to use them
// again, calls it. It belongs to the goroutine that calls Burst.
func (q *TxQueue) Reclaim() int {
	if !q.gate.Enter() {
		return 0
	}
	n := q.ring.Reclaim()
	q.gate.Leave()
	return n
}

// SetCache makes the queue take its buffers from c, or put those that were sent
// into c, so that the queues of one goroutine share one and the buffer that
// was sent last is the next to be filled. c belongs to the goroutine that
// polls; it is a cache of the port's pool, or for a transmit queue of an
// attached one. It must not be closed before the port. nil is the queue's own
// cache again.
func (q *queue) SetCache(c *mbuf.Cache) error {
	q.port.mu.Lock()
	defer q.port.mu.Unlock()
	if q.port.closed {
		return &ClosedError{Device: q.port.name}
	}
	if c == nil {
		c = q.own
	}
	if q.any != nil { // nil while the port is set up anew, which ends in adopt
		if err := q.any.SetCache(c); err != nil {
			return err
		}
	}
	q.cache = c
	return nil
}

// report tells the supervisor, once, that the ring is broken.
func (q *queue) report() {
	if q.reported {
		return
	}
	q.reported = true
	p := q.port
	p.breakage.CompareAndSwap(nil, &QueueBrokenError{Device: p.name, Queue: q.index, Err: q.any.Broken()})
	select {
	case p.trouble <- struct{}{}:
	default:
	}
}

// broken returns what a poller has reported.
func (p *Port) broken() error {
	if e := p.breakage.Swap(nil); e != nil {
		return e
	}
	return nil
}

// gates returns the gates of all queues.
func (p *Port) gates() []*gate.Gate {
	var gates []*gate.Gate
	for i := range p.rx {
		gates = append(gates, &p.rx[i].gate, &p.tx[i].gate)
	}
	return gates
}

// openGates lets the pollers in.
func (p *Port) openGates() {
	for _, d := range p.gates() {
		d.Open()
	}
}
