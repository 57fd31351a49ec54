package main

import (
	"github.com/virtio-pmd/virtio-pmd/apps/internal/frame"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// txOnly makes packets of one flow.
//
// The headers are written to every packet, as DPDK's testpmd does, although the
// buffers that come back from a ring have them already: a buffer is free in
// between, and leaving this out would compare the two programs at unequal work.
// What follows the headers is whatever the buffer held, as in DPDK.
type txOnly struct {
	*stream
	header frame.Header
	first  int   // length of the first segment
	more   []int // and of those that follow
	next   []*mbuf.Buf
	flows  *frame.Flows // nil if there is one
	flow   uint16       // of the next packet
}

func newTxOnly(s *stream, p *plan) func() bool {
	t := &txOnly{
		stream: s, first: p.segments[0], more: p.segments[1:],
		next: make([]*mbuf.Buf, len(p.segments)-1),
	}
	flow := onlyFlow(s, p, p.packetLen())
	t.header = flow.Header()
	if p.multiFlow {
		t.flows = flow.SourceFlows()
	}
	if len(t.more) > 0 || p.multiFlow {
		return t.chains
	}
	return t.burst
}

func (t *txOnly) burst() bool {
	n := t.cache.Get(t.bufs)
	for _, b := range t.bufs[:n] {
		*(*frame.Header)(b.Append(t.first)) = t.header
	}
	return t.send(n) > 0
}

// write writes the headers of a packet, of the next flow if there are several.
func (t *txOnly) write(data []byte) {
	if t.flows != nil {
		t.flows.Write(data, t.flow)
		t.flow++
		return
	}
	*(*frame.Header)(data) = t.header
}

// chains is burst for packets of several segments, or of many flows.
func (t *txOnly) chains() bool {
	got, n := t.cache.Get(t.bufs), 0
	for _, b := range t.bufs[:got] {
		t.write(b.Append(t.first))
		if !t.lengthen(b) {
			break
		}
		n++
	}
	t.cache.Put(t.bufs[n:got]) // when the pool has no more
	return t.send(n) > 0
}

// lengthen adds the other segments to b. It returns false if the pool has too
// few, and then adds none.
func (t *txOnly) lengthen(b *mbuf.Buf) bool {
	if n := t.cache.Get(t.next); n < len(t.next) {
		t.cache.Put(t.next[:n])
		return false
	}
	for i, segment := range t.next {
		segment.Append(t.more[i])
		b.SetNext(segment)
		b = segment
	}
	return true
}
