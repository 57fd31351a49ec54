package main

import "github.com/virtio-pmd/virtio-pmd/apps/internal/frame"

// macStream forwards packets with addresses that are always the same.
type macStream struct {
	*stream
	header *frame.MAC
}

func newMAC(s *stream, _ *plan) func() bool {
	m := &macStream{stream: s, header: frame.NewMAC(s.number, s.out.MAC())}
	return m.burst
}

func (m *macStream) burst() bool {
	n := m.rx.Burst(m.bufs)
	if n == 0 {
		return false
	}
	m.header.Write(m.bufs[:n])
	m.send(n)
	return true
}
