package main

// newRxOnly receives packets and frees them.
func newRxOnly(s *stream, _ *plan) func() bool { return s.rxOnly }

func (s *stream) rxOnly() bool {
	n := s.rx.Burst(s.bufs)
	if n == 0 {
		return false
	}
	s.cache.Put(s.bufs[:n])
	return true
}
