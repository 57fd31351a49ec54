package vdev

import (
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Coalescing are the parameters by which a device holds the interrupts of a virtqueue back
// (5.1.9.5, Notifications Coalescing). It interrupts after that many packets, or that long
// after the first of them; after each burst if either is 0.
type Coalescing struct{ Packets, Microseconds uint32 }

// coalescer holds interrupts back.
type coalescer struct {
	Coalescing
	on      bool
	since   uint64    // packets of the queue when the last interrupt was considered
	pending bool      // packets wait for an interrupt
	due     time.Time // when it comes at the latest, if pending
}

// coalesce sets parameters. An interrupt that is due with them comes at once.
func (q *queue) coalesce(c Coalescing) {
	q.coal.Coalescing = c
	q.coal.on = c.Packets != 0 && c.Microseconds != 0
	if !q.alive {
		return
	}
	if !q.coal.pending {
		q.coal.since = q.packets()
		return
	}
	q.coal.pending = false // the time begins anew
	q.interrupt()
}

// packets returns how many packets went through the queue.
func (q *queue) packets() uint64 {
	if q.dev.isReceiveq(q.index) {
		return q.counts.packets
	}
	return q.stats.Chains
}

// held reports whether the interrupt for what was used is held back.
func (c *coalescer) holds(q *queue) bool {
	if !c.on {
		return false
	}
	switch {
	case q.packets()-c.since >= uint64(c.Packets), q.since >= q.size:
	case !c.pending:
		c.pending, c.due = true, time.Now().Add(time.Duration(c.Microseconds)*time.Microsecond)
		q.dev.coalescing = true
		return true
	case time.Now().Before(c.due):
		return true
	}
	c.pending, c.since = false, q.packets()
	return false
}

// interruptHeld considers the interrupts whose time has come. It returns how long until the
// next one, 0 if none is held back.
func (d *core) interruptHeld() time.Duration {
	d.coalescing = false
	var wait time.Duration
	for _, q := range d.queues {
		if !q.coal.pending || !q.alive {
			continue
		}
		if left := time.Until(q.coal.due); left > 0 {
			d.coalescing = true
			if wait == 0 || left < wait {
				wait = left
			}
			continue
		}
		q.interrupt()
	}
	return wait
}

// resetCoalescing gives a queue that is enabled the parameters of all queues of its kind.
func (d *Device) resetCoalescing(q *queue) {
	q.coal = coalescer{}
	if q.index < virtio.CtrlQueueIndex(d.accepted, d.cfg.Pairs) {
		q.coal.since = q.packets()
		q.coalesce(d.coalDefault[q.index%2])
	}
}
