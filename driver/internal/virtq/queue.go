package virtq

import (
	"sync/atomic"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/stat"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// queue is what all queues have, whatever their format and purpose.
type queue struct {
	index   int
	address uint64
	layout  Layout

	eventIdx   bool // EVENT_IDX: events are asked for by position
	inOrder    bool // IN_ORDER: buffers are used in the order they were made available
	notifyData bool // NOTIFICATION_DATA: the doorbell says how far the ring got

	bell    virtio.Doorbell
	bellID  uint32
	running bool // between Start and Drain
	drained bool

	kicks  *stat.Counter
	posted stat.Gauge // buffers that the device has, for other goroutines
	broken atomic.Pointer[BrokenError]
}

func newQueue(cfg *Config, l Layout, kicks *stat.Counter) queue {
	return queue{
		index:      cfg.Index,
		kicks:      kicks,
		address:    cfg.Address,
		layout:     l,
		eventIdx:   cfg.Features.Has(virtio.RingEventIdx),
		inOrder:    cfg.Features.Has(virtio.InOrder),
		notifyData: cfg.Features.Has(virtio.NotificationData),
	}
}

// Areas returns the device addresses of the three areas of the ring, for the
// transport.
func (q *queue) Areas() (desc, driver, device uint64) {
	return q.address + uint64(q.layout.Desc), q.address + uint64(q.layout.Driver), q.address + uint64(q.layout.Device)
}

// Broken returns the *BrokenError that stopped the queue, nil while it works.
// It may be called from any goroutine.
func (q *queue) Broken() error {
	if err := q.broken.Load(); err != nil {
		return err
	}
	return nil
}

// Posted returns how many buffers the device has: segments, not packets. It may
// be called from any goroutine.
func (q *queue) Posted() int { return int(q.posted.Load()) }

// notOutstanding is the reason for which most hostile devices break a queue.
const notOutstanding = "a used buffer is not one that the device had"

// fail breaks the queue. The first reason stays.
func (q *queue) fail(reason string, value, bound uint64) {
	q.broken.CompareAndSwap(nil, &BrokenError{Queue: q.index, Reason: reason, Value: value, Bound: bound})
}

// idle tells whether the queue does nothing: not started yet, drained, broken.
func (q *queue) idle() bool { return !q.running || q.broken.Load() != nil }

// finished tells whether the queue will never work again.
func (q *queue) finished() bool { return q.drained || q.broken.Load() != nil }

// ring rings the doorbell. where is what NOTIFICATION_DATA says about the
// position in the ring (2.9).
func (q *queue) ring(where uint32) {
	q.kicks.Add(1)
	v := q.bellID
	if q.notifyData {
		v |= where << 16
	}
	q.bell.Ring(v)
}

// drain stops the queue and returns the buffers of the window to their pools.
func (q *queue) drain(s *slots) int {
	q.running, q.drained = false, true
	n := 0
	for s.count > 0 {
		n += mbuf.Driver(s.buf[s.head]).Return()
		s.drop(s.end())
	}
	q.posted.Set(0)
	return n
}
