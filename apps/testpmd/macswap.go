package main

import "github.com/virtio-pmd/virtio-pmd/apps/internal/frame"

// newMACSwap forwards packets back to where they came from.
func newMACSwap(s *stream, _ *plan) func() bool { return s.macSwap }

func (s *stream) macSwap() bool {
	got := s.receive()
	if len(got) == 0 {
		return false
	}
	frame.Swap(got)
	s.send(len(got))
	return true
}
