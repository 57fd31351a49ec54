package poll

import (
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/internal/stat"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// Stream is the way of packets from a receive queue to a transmit queue.
type Stream struct {
	// Rx is where packets come from. If it is nil, Handle is called in every
	// round, with no packets, and makes those that it wants to send.
	Rx *driver.RxQueue
	// Tx is where packets go. If it is nil, all that Handle returns is dropped.
	Tx *driver.TxQueue
	// Handle is called with each burst that was received, one packet or more. It
	// returns the packets to send, in their order: those are no longer its own.
	// All other packets remain Handle's, to free or to send later.
	//
	// Handle may change packets, which is valid until it returns, and return a
	// part of it. If Handle is nil, everything is sent as it was received.
	Handle func(packets []*mbuf.Buf) []*mbuf.Buf

	received, sent, dropped stat.Counter
}

// Stats counts packets.
type Stats struct {
	Received uint64
	Sent     uint64 // taken by the transmit queue, which may drop them: see driver.TxQueueStats
	Dropped  uint64 // returned by Handle and freed, because the transmit queue had no room
	// Kept is Received - Sent - Dropped: the packets that Handle kept, less those
	// that it made or returned later. While the loop polls, the burst that is
	// being handled counts as well.
	Kept int64
}

// Stats returns the counters. It may be called from any goroutine.
func (s *Stream) Stats() Stats {
	// In this order, so that a packet counted as sent is counted as received.
	sent, dropped := s.sent.Load(), s.dropped.Load()
	received := s.received.Load()
	kept := int64(received - sent - dropped)
	return Stats{Received: received, Sent: sent, Dropped: dropped, Kept: kept}
}

// poll receives, handles and sends one burst. It reports whether there was a packet.
func (s *Stream) poll(bufs []*mbuf.Buf) bool {
	n := 0
	if s.Rx != nil {
		if n = s.Rx.Burst(bufs); n == 0 {
			return false
		}
		s.received.Add(uint64(n))
	}
	packets := bufs[:n]
	if s.Handle != nil {
		packets = s.Handle(packets)
	}
	if len(packets) == 0 {
		return n > 0
	}
	sent := 0
	if s.Tx != nil {
		sent = s.Tx.Burst(packets)
		s.sent.Add(uint64(sent))
	}
	if sent < len(packets) {
		mbuf.Free(packets[sent:])
		s.dropped.Add(uint64(len(packets) - sent))
	}
	return true
}
