package main

import "github.com/virtio-pmd/virtio-pmd/apps/internal/frame"

// macStream forwards packets with addresses that are always the same.
type macStream struct {
	*stream
	header *frame.MAC
}

func newMAC(s *stream, _ *plan) func() bool {
	m := &macStream{stream: s, header: frame.NewMACTo(s.peer, s.out.MAC())}
	return m.burst
}

func (m *macStream) burst() bool {
	got := m.receive()
	if len(got) == 0 {
		return false
	}
	m.header.Write(got)
	m.send(len(got))
	return true
}
