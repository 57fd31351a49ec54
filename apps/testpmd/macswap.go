package main

import "github.com/virtio-pmd/virtio-pmd/apps/internal/frame"

// newMACSwap forwards packets back to where they came from.
func newMACSwap(s *stream, _ *plan) func() bool { return s.macSwap }

func (s *stream) macSwap() bool {
	n := s.rx.Burst(s.bufs)
	if n == 0 {
		return false
	}
	frame.Swap(s.bufs[:n])
	s.send(n)
	return true
}
