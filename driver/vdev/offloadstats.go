package vdev

import "github.com/virtio-pmd/virtio-pmd/driver/virtio"

// offloadCounts are what the statistics of a virtqueue have about offloads (5.1.9.5, Device
// Statistics).
type offloadCounts struct {
	// Packets by their checksum: found to be right, left to be completed, neither, and
	// found to be wrong. A transmitq has the second and the third.
	valid, partial, none, wrong uint64

	large  size // packets that are or were to be segmented
	cut    size // the segments that the device made of such packets
	passed size // such packets that it passed on
}

// size is a number of packets and of the bytes in them.
type size struct{ packets, bytes uint64 }

func (s *size) add(packets, bytes int) {
	s.packets += uint64(packets)
	s.bytes += uint64(bytes)
}

// received counts a packet of n bytes that was delivered with an offload.
func (c *offloadCounts) received(o Offload, n int) {
	switch {
	case o.Flags&virtio.NetHeaderNeedsCsum != 0:
		c.partial++
	case o.Flags&virtio.NetHeaderDataValid != 0:
		c.valid++
	default:
		c.none++
	}
	if o.GSOType != virtio.GSONone {
		c.large.add(1, n)
	}
}

// packetWork is what the device did for a transmitted packet.
type packetWork struct {
	partial, large  bool
	segments, bytes int // that it was cut into; 0 if it was not
}

// transmitted counts a packet of n bytes that the back end took.
func (c *offloadCounts) transmitted(w packetWork, n int) {
	if w.partial {
		c.partial++
	} else {
		c.none++
	}
	switch {
	case !w.large:
		return
	case w.segments > 0:
		c.cut.add(w.segments, w.bytes)
	default:
		c.passed.add(1, n)
	}
	c.large.add(1, n)
}
