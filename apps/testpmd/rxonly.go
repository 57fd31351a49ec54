package main

// newRxOnly receives packets and frees them.
func newRxOnly(s *stream, _ *plan) func() bool { return s.rxOnly }

func (s *stream) rxOnly() bool {
	got := s.receive()
	if len(got) == 0 {
		return false
	}
	s.cache.Put(got)
	return true
}
