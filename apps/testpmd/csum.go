package main

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/frame"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// checksums says how csum makes the checksums of packets that leave by a port: in software, or as
// an offload of the transmit queue.
type checksums struct {
	udp, tcp bool // offloaded
	segment  int  // bytes of payload of the segments that TCP packets are cut into, 0 for none
	gso      bool // packets longer than gsoLen are cut into ones of that length
	gsoLen   int
}

// csumStream forwards packets as mac does and renews their checksums.
type csumStream struct {
	*stream
	header       *frame.MAC
	how          checksums
	badIP, badL4 *atomic.Uint64
}

func newCsum(s *stream, p *plan) func() bool {
	c := &csumStream{stream: s, header: frame.NewMACTo(s.peer, s.out.MAC()), how: p.csum[s.number], badIP: &s.badIP, badL4: &s.badL4}
	return c.burst
}

func (c *csumStream) burst() bool {
	got := c.receive()
	if len(got) == 0 {
		return false
	}
	c.header.Write(got)
	for _, b := range got {
		c.renew(b)
	}
	c.send(len(got))
	return true
}

// renew makes the checksums of a packet anew. Of one that arrived without a checksum of UDP it
// makes none, as testpmd does.
func (c *csumStream) renew(b *mbuf.Buf) {
	data := b.Data()
	l := frame.Parse(data)
	if l.L3Len == 0 {
		return
	}
	if l.Type == frame.TypeIPv4 && !frame.RenewIPv4(data[l.L2Len:l.L2Len+l.L3Len]) {
		c.badIP.Add(1)
	}
	if b.Segmentation() != mbuf.SegmentNone {
		return // a large packet is finished when it is cut
	}
	field, offload := l.L2Len+l.L3Len, false
	switch {
	case l.L4Len == 0:
		return
	case l.Proto == frame.ProtoTCP:
		field, offload = field+16, c.how.tcp
		if size := c.size(&l); size > 0 && b.PacketLen()-l.Payload() > size && b.PrepareSegmentation(size) == nil {
			return
		}
	case l.Proto == frame.ProtoUDP:
		field, offload = field+6, c.how.udp
	default:
		return
	}
	partial := b.Checksum() == mbuf.ChecksumPartial
	before := binary.BigEndian.Uint16(data[field:])
	if l.Proto == frame.ProtoUDP && before == 0 && !partial {
		return
	}
	if b.PrepareChecksum() != nil || offload {
		return
	}
	if b.CompleteChecksum(); !partial && !same(before, binary.BigEndian.Uint16(data[field:])) {
		c.badL4.Add(1)
	}
}

// same reports whether two checksums are equal: 0 has two forms.
func same(a, b uint16) bool { return a == b || a == 0 && b == 0xffff || a == 0xffff && b == 0 }

// size returns the bytes of payload that TCP packets are to be cut into, 0 for as they are.
func (c *csumStream) size(l *frame.Layers) int {
	switch {
	case c.how.segment > 0:
		return c.how.segment
	case c.how.gso:
		return max(c.how.gsoLen-l.Payload(), 1)
	}
	return 0
}
