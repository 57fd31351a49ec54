package main

import (
	"sync/atomic"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// stream is the way of packets from a receive queue to a transmit queue. It
// belongs to one poller; only dropped is read by others.
type stream struct {
	rx      *driver.RxQueue // nil if the mode does not receive
	tx      *driver.TxQueue // nil if the mode does not transmit
	cache   *mbuf.Cache
	bufs    []*mbuf.Buf // one burst
	dropped atomic.Uint64

	out    *driver.Port // that of tx
	number int          // and its place on the command line
}

// send transmits the first n packets of the burst, and drops those the queue
// has no room for. It returns how many were sent.
func (s *stream) send(n int) int {
	sent := s.tx.Burst(s.bufs[:n])
	if sent < n {
		s.cache.Put(s.bufs[sent:n])
		s.dropped.Add(uint64(n - sent))
	}
	return sent
}
