package main

import (
	"net"
	"sync/atomic"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// stream is the way of packets from a receive queue to a transmit queue. It
// belongs to one poller; only counters are read by others.
type stream struct {
	rx      *driver.RxQueue // nil if the mode does not receive
	tx      *driver.TxQueue // nil if the mode does not transmit
	cache   *mbuf.Cache
	bufs    []*mbuf.Buf // one burst
	dropped atomic.Uint64
	shared  bool          // other streams send by tx as well
	sent    atomic.Uint64 // packets that tx took, counted if it is shared

	in, out          *driver.Port // those of rx and tx
	from, number     int          // and their places on the command line
	rxQueue, txQueue int          // places in the ports
	peer             net.HardwareAddr
	mac              [6]byte               // of out
	badIP, badL4     atomic.Uint64         // received checksums that were wrong, counted by csum
	held             *noisy                // what holds packets back, nil unless the mode is noisy
	watch            atomic.Pointer[watch] // nil if nothing is recorded or shown of bursts
	retry            *retry                // nil if what finds the queue full is dropped at once
}

// receive takes a burst from the receive queue.
func (s *stream) receive() []*mbuf.Buf {
	n := s.rx.Burst(s.bufs)
	if w := s.watch.Load(); w != nil {
		w.received(s, s.bufs[:n])
	}
	return s.bufs[:n]
}

// send transmits the first n packets of the burst, and drops those the queue
// has no room for. It returns how many were sent.
func (s *stream) send(n int) int {
	w := s.watch.Load()
	if w != nil {
		w.sending(s, s.bufs[:n])
	}
	sent := s.tx.Burst(s.bufs[:n])
	if sent < n {
		if s.retry != nil {
			sent = s.retry.send(s, sent, n)
		}
		s.cache.Put(s.bufs[sent:n])
		s.dropped.Add(uint64(n - sent))
	}
	if s.shared {
		s.sent.Add(uint64(sent))
	}
	if w != nil {
		w.sent(sent)
	}
	return sent
}

// retry is what is done for packets that find the transmit queue full.
type retry struct {
	times int
	delay time.Duration
	relax func(busy bool) // polls emulated devices, which make room
}

// send tries again to send the packets of the burst from sent to n, and returns how many of all n
// were sent.
func (r *retry) send(s *stream, sent, n int) int {
	for try := 0; try < r.times && sent < n; try++ {
		r.relax(true)
		for start := time.Now(); time.Since(start) < r.delay; {
			continue // a sleep would take longer
		}
		sent += s.tx.Burst(s.bufs[sent:n])
	}
	return sent
}
