package driver

import (
	"sync"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/gate"
	"github.com/virtio-pmd/virtio-pmd/driver/internal/virtq"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
)

// cacheSize is how many free buffers a queue trades with the pool at a time.
const cacheSize = 256

// RxQueue is a receive queue. It belongs to the goroutine that polls it; Stats
// may be called from any goroutine. A burst that begins while another goroutine is
// in one returns 0, where it is noticed, and is counted in Concurrent.
type RxQueue struct {
	gate gate.Gate // with ring at the front: all that an empty burst touches here
	ring *virtq.Rx // nil if there is none
	queue
	sleep sleeper
	past  RxQueueStats // of the rings before this one
}

// TxQueue is a transmit queue. It belongs to the goroutine that polls it; Stats
// may be called from any goroutine. A burst that begins while another goroutine is
// in one returns 0, where it is noticed, and is counted in Concurrent.
type TxQueue struct {
	gate gate.Gate // with ring at the front: all that an empty burst touches here
	ring *virtq.Tx // nil if there is none
	queue
	past TxQueueStats // of the rings before this one
}

// queue is what both directions have in common. It outlives its rings: each reset
// of the device ends one, and the next set-up makes another.
//
// A burst uses the ring inside the gate, without a lock. Everything else that uses
// the ring locks mu or statMu, and the set-up and the end of a ring lock both, with
// the gate closed.
type queue struct {
	device   string // its name, for errors
	index    int    // of the virtqueue
	onBroken func(*QueueBrokenError)

	// mu keeps SetCache, on the goroutine that polls, apart from the set-up and
	// the end of a ring, on another.
	mu       sync.Mutex
	own      *mbuf.Cache // in use unless SetCache gave another
	cache    *mbuf.Cache // the one to use when the ring is filled
	notifier transport.Notifier
	closed   bool
	reported bool // the ring is broken, and onBroken was called; the poller's

	statMu sync.Mutex // guards which ring the counters are read from

	// out is why the gate stays closed while the port's gates are open, 0 for no reason.
	// The device's gateMu guards it.
	out outOfUse
}

// enableFunc gives a ring to the device, and enables it. It is called with the
// device addresses of the ring's areas.
type enableFunc func(desc, driver, device uint64) (transport.Notifier, error)

func (q *queue) init(device string, index int, own *mbuf.Cache, onBroken func(*QueueBrokenError)) {
	q.device, q.index, q.onBroken = device, index, onBroken
	q.own, q.cache = own, own
}

// Burst fills bufs with received packets and returns how many. It never waits.
// The packets are the caller's, and what bufs has behind them is undefined. One that
// is longer than a buffer is a chain. Burst returns 0 when there is nothing, while the
// queue is stopped, and while the port has failed, is being recovered, or is closed.
func (q *RxQueue) Burst(bufs []*mbuf.Buf) int {
	if !q.gate.Enter() {
		return 0
	}
	n := 0
	if q.ring.NothingToDo() {
		q.ring.CountEmpty()
	} else if n = q.ring.Burst(bufs); n == 0 && q.ring.Stopped() {
		q.reportBroken(q.ring.Broken())
	}
	q.gate.Leave()
	return n
}

// Burst takes packets from the front of bufs for transmission and returns how
// many; they are freed when the device has sent them. The rest stays the
// caller's. It never waits. A packet that cannot be sent at all, as one that is
// longer than the MTU allows, is taken, freed and counted. Burst returns 0 when
// there is no room, while the queue is stopped or its pair not active, and while the
// port has failed, is being recovered, or is closed.
func (q *TxQueue) Burst(bufs []*mbuf.Buf) int {
	if !q.gate.Enter() {
		return 0
	}
	n := q.ring.Burst(bufs)
	if n == 0 && q.ring.Stopped() {
		q.reportBroken(q.ring.Broken())
	}
	q.gate.Leave()
	return n
}

// Reclaim takes back the packets that the device has sent by now, and returns how
// many buffers they were. Burst does so by itself when there are many; an
// application calls Reclaim when it needs the last ones back after it has stopped
// sending, to release a pool or to use them again. It belongs to the goroutine that
// calls Burst.
func (q *TxQueue) Reclaim() int {
	if !q.gate.Enter() {
		return 0
	}
	n := q.ring.Reclaim()
	q.gate.Leave()
	return n
}

// SetCache makes the queue take its buffers from c, so that the queues of one
// goroutine share a cache and the buffer that was sent last is the next to be
// filled. c belongs to the goroutine that polls, and is a cache of the port's
// pool. It must not be closed before the port. nil is the queue's own cache again.
func (q *RxQueue) SetCache(c *mbuf.Cache) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ring == nil {
		return q.setCache(c, nil)
	}
	return q.setCache(c, q.ring)
}

// SetCache makes the queue put the buffers that were sent into c, so that the
// queues of one goroutine share a cache and the buffer that was sent last is the
// next to be filled. c belongs to the goroutine that polls, and is a cache of the
// port's pool or of an attached one. It must not be closed before the port. nil
// is the queue's own cache again.
func (q *TxQueue) SetCache(c *mbuf.Cache) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ring == nil {
		return q.setCache(c, nil)
	}
	return q.setCache(c, q.ring)
}

// cacheSetter is a ring of either direction.
type cacheSetter interface{ SetCache(*mbuf.Cache) error }

// setCache has the queue and its ring, nil for none, use c. q.mu is held.
func (q *queue) setCache(c *mbuf.Cache, ring cacheSetter) error {
	if q.closed {
		return closedError(q.device)
	}
	if c == nil {
		c = q.own
	}
	if ring != nil { // without one the next set-up ends in useCache
		if err := ring.SetCache(c); err != nil {
			return err
		}
	}
	if c != q.own {
		q.own.Flush() // what it has in advance would be out of reach
	}
	q.cache = c
	return nil
}

// setUp makes the ring, gives it to the device and fills it. The gate is closed.
func (q *RxQueue) setUp(cfg virtq.Config, enable enableFunc) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	// The queue's own cache fills the ring: one that SetCache gave is in use by
	// a goroutine that goes on polling other queues with it.
	ring, err := virtq.NewRx(cfg, q.own)
	if err != nil {
		return err
	}
	q.statMu.Lock()
	q.ring = ring
	q.statMu.Unlock()
	q.reported = false
	if q.notifier, err = enable(ring.Areas()); err != nil {
		return err
	}
	ring.Refill()
	return q.useCache(ring)
}

// setUp makes the ring, for buffers of these pools, and gives it to the device.
// The gate is closed.
func (q *TxQueue) setUp(cfg virtq.Config, pools []*mbuf.Pool, enable enableFunc) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	ring, err := virtq.NewTx(cfg, q.own)
	if err != nil {
		return err
	}
	q.statMu.Lock()
	q.ring = ring
	q.statMu.Unlock()
	q.reported = false
	for _, pool := range pools {
		if err := ring.AddPool(pool); err != nil {
			return err
		}
	}
	if q.notifier, err = enable(ring.Areas()); err != nil {
		return err
	}
	return q.useCache(ring)
}

// useCache has a new ring use the cache that the application wants. q.mu is held.
func (q *queue) useCache(ring cacheSetter) error {
	if q.cache == q.own {
		return nil
	}
	q.own.Flush()
	return ring.SetCache(q.cache)
}

// addPool makes the queue accept the buffers of another pool. A queue without a
// ring is given all pools when it is set up.
func (q *TxQueue) addPool(pool *mbuf.Pool) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ring == nil {
		return nil
	}
	return q.ring.AddPool(pool)
}

// removePool makes the queue refuse the buffers of a pool again, unless some are posted
// or its cache is of that pool. The gate is closed.
func (q *TxQueue) removePool(pool *mbuf.Pool) (posted int, cached bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.cache.Pool() == pool {
		return 0, true
	}
	if q.ring == nil {
		return 0, false
	}
	return q.ring.RemovePool(pool), false
}

// start lets the ring ring its doorbell: DRIVER_OK is set.
func (q *RxQueue) start() { q.ring.Start(q.notifier.Doorbell, q.notifier.ID) }

// start lets the ring ring its doorbell: DRIVER_OK is set.
func (q *TxQueue) start() { q.ring.Start(q.notifier.Doorbell, q.notifier.ID) }

// drain ends the ring: its buffers go back to their pools and its counters are
// kept. The device or this queue has been reset, and the gate is closed.
func (q *RxQueue) drain() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ring == nil {
		return
	}
	q.ring.Drain()
	q.statMu.Lock()
	defer q.statMu.Unlock()
	q.past = q.total()
	q.past.Posted = 0
	q.ring = nil
}

// drain ends the ring: its buffers go back to their pools and its counters are
// kept. The device or this queue has been reset, and the gate is closed.
func (q *TxQueue) drain() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ring == nil {
		return
	}
	lost := q.ring.Drain()
	q.statMu.Lock()
	defer q.statMu.Unlock()
	q.past = q.total()
	q.past.Lost += uint64(lost)
	q.past.Posted = 0
	q.ring = nil
}

// close makes SetCache fail from now on.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}

// reportBroken calls onBroken, once for each ring, if err is not nil. The poller is inside
// the gate. It is not inlined, to keep the code of a burst small.
//
//go:noinline
func (q *queue) reportBroken(err error) {
	if err == nil || q.reported {
		return
	}
	q.reported = true
	q.onBroken(&QueueBrokenError{Device: q.device, Queue: q.index, Err: err})
}
