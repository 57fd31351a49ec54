package generator

import (
	"sync/atomic"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// receiver is the loop of all receive queues of one port. It belongs to a poller.
type receiver struct {
	queues []*driver.RxQueue
	to     Receiver // nil for none
	cache  *mbuf.Cache
	bufs   []*mbuf.Buf
	clock  Clock

	packets atomic.Uint64 // received
}

// poll receives a burst from each queue, and reports whether there was a packet.
func (r *receiver) poll() (busy bool) {
	for _, q := range r.queues {
		n := q.Burst(r.bufs)
		if n == 0 {
			continue
		}
		busy = true
		if r.to != nil {
			r.to.Receive(r.bufs[:n], r.clock.Now())
		}
		r.packets.Add(uint64(n))
		r.cache.Put(r.bufs[:n])
	}
	return busy
}

func (r *receiver) abandon(cause error) bool {
	handled := false
	for _, q := range r.queues {
		handled = q.Abandon(cause) || handled
	}
	return handled
}
