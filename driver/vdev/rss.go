package vdev

import "github.com/virtio-pmd/virtio-pmd/driver/virtio"

// rss is receive-side scaling as a driver configured it.
type rss struct {
	on           bool     // RSS_CONFIG came last, and not VQ_PAIRS_SET
	table        []uint16 // pairs, a power of two of them
	unclassified int      // the pair for packets without a hash
}

// queues returns how many receiveqs, counted from the first, contain all that are named.
func (r *rss) queues() int {
	n := r.unclassified + 1
	for _, pair := range r.table {
		n = max(n, int(pair)+1)
	}
	return n
}

// scale returns the receiveq for a frame. It may not be alive: then the frame is dropped.
func (d *core) scale(frame []byte) *queue {
	pair := d.rss.unclassified
	if value, report := d.hash.of(frame); report != virtio.HashReportNone {
		pair = int(d.rss.table[value&uint32(len(d.rss.table)-1)])
	}
	return d.queues[virtio.RxQueueIndex(pair)]
}

// receiveScaled is receive with RSS for a back end that has frames for each pair, which
// RSS distributes anew. It moves the frames of one stage.
func (d *core) receiveScaled(s *stage) int {
	n := 0
	for ; s.next < s.n; s.next++ {
		q := d.scale(s.frames[s.next])
		if !q.alive {
			q.miss(s.skip())
		} else if !d.deliverNext(q, s) {
			break
		}
		n++
	}
	moved := n > 0 || len(s.cut.frames) > 0
	for pair := 0; moved && pair < d.active; pair++ {
		d.queues[virtio.RxQueueIndex(pair)].flush()
	}
	return n
}
