package main

import (
	"github.com/virtio-pmd/virtio-pmd/apps/internal/frame"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// newFiveTupleSwap forwards packets back to where they came from: addresses of Ethernet and IP
// and ports are exchanged, which leaves checksums right.
func newFiveTupleSwap(s *stream, _ *plan) func() bool { return s.fiveTupleSwap }

func (s *stream) fiveTupleSwap() bool {
	got := s.receive()
	if len(got) == 0 {
		return false
	}
	frame.Swap(got)
	for _, b := range got {
		swapTuple(b)
	}
	s.send(len(got))
	return true
}

func swapTuple(b *mbuf.Buf) {
	data := b.Data()
	l := frame.Parse(data)
	if l.L3Len == 0 {
		return
	}
	ip := data[l.L2Len:]
	if l.Type == frame.TypeIPv4 {
		exchange(ip[12:16], ip[16:20])
	} else {
		exchange(ip[8:24], ip[24:40])
	}
	if l.L4Len > 0 && (l.Proto == frame.ProtoTCP || l.Proto == frame.ProtoUDP) {
		ports := ip[l.L3Len:]
		exchange(ports[:2], ports[2:4])
	}
}

func exchange(a, b []byte) {
	for i := range a {
		a[i], b[i] = b[i], a[i]
	}
}
