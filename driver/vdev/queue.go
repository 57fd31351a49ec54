package vdev

import (
	"sync/atomic"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Area is one of the three memory areas of a virtqueue (2.6). The split and the
// packed format use them for different things.
type Area int

const (
	// DescArea is the descriptor table or the descriptor ring.
	DescArea Area = iota
	// DriverArea is the available ring, or the driver's event suppression.
	DriverArea
	// DeviceArea is the used ring, or the device's event suppression.
	DeviceArea
)

// String names the area as the registers do.
func (a Area) String() string {
	return [...]string{"queue_desc", "queue_driver", "queue_device"}[a]
}

// queue is one virtqueue: its ring once that is alive, and what a receiveq needs.
type queue struct {
	dev   *core
	index int
	max   int // the largest size; 0: the queue does not exist

	ring
	sent          int           // transmitq: frames of the first packet that the back end has
	disabled      bool          // a VhostDevice's: what is on it is used and discarded
	stats         QueueStats    // dev.mu guards it
	counts        queueCounts   // likewise
	offloads      offloadCounts // likewise
	coal          coalescer     // likewise
	doorbells     atomic.Uint64 // counted without dev.mu
	bufs          []chain       // receiveq: the chains of the frame at hand
	held          []chain       // receiveq, OutOfOrder: popped and waiting to be picked
	random        uint32        // OutOfOrder: what picks, never 0
	stage         stage         // receiveq: frames for this pair that wait for buffers
	minBuffer     uint64        // receiveq: bytes that a buffer must have at least
	minBufferRule string        // what a smaller one breaks
	mergeable     bool          // receiveq: MRG_RXBUF
	segments      bool          // receiveq: RSC_EXT
	longest       int           // receiveq: frame without a VLAN tag, if it is not to be segmented
	headerLen     int           // of virtio_net_hdr, in both directions
	hashReport    bool          // receiveq: HASH_REPORT

	header [maxHeaderLen]byte // receiveq: of the frame at hand
}

func newQueue(d *core, index int) *queue {
	q := &queue{dev: d, index: index, max: d.cfg.QueueSize, random: uint32(index+1) * 0x9e3779b9}
	if size, ok := d.cfg.QueueSizes[index]; ok {
		q.max = size
	}
	return q
}

// start makes the ring alive: used is where the next used entry goes, at where the next
// chain is. Size, areas and format are set.
func (q *queue) start(used, at cursor) {
	q.at, q.used, q.marked, q.seen = at, used, used, at.off
	q.alive = true
	q.prepare()
}

// setFormat sets what the accepted features say about the ring.
func (q *queue) setFormat() {
	f := q.dev.accepted
	q.packed, q.indirect = f.Has(virtio.RingPacked), f.Has(virtio.RingIndirectDesc)
	q.eventIdx, q.inOrder = f.Has(virtio.RingEventIdx), f.Has(virtio.InOrder)
}

// stop ends the ring. Its memory is not touched any more.
func (q *queue) stop() {
	q.ring.close()
	q.sent = 0
	q.held = q.held[:0]
}
