package vdev

import "sync/atomic"

// Sink is a wire that ends in nothing: it counts what is transmitted and
// receives nothing.
type Sink struct {
	frames, bytes, bad atomic.Uint64
	check              func(pair int, frame []byte) bool
}

// Null returns a wire that ends in nothing.
func Null() *Sink { return &Sink{} }

// NullCheck is Null with a look at each frame: those that check calls wrong are
// counted. The frame is not to be kept or changed.
func NullCheck(check func(pair int, frame []byte) bool) *Sink { return &Sink{check: check} }

// Attach implements Backend.
func (s *Sink) Attach(func()) error { return nil }

// Transmit implements Backend: it takes everything.
func (s *Sink) Transmit(pair int, frames [][]byte) int {
	n, bad := 0, uint64(0)
	for _, f := range frames {
		n += len(f)
		if s.check != nil && !s.check(pair, f) {
			bad++
		}
	}
	s.frames.Add(uint64(len(frames)))
	s.bytes.Add(uint64(n))
	s.bad.Add(bad)
	return len(frames)
}

// Receive implements Backend: there is nothing.
func (s *Sink) Receive(int, [][]byte) int { return 0 }

// Traits implements Backend.
func (s *Sink) Traits() Traits { return Traits{} }

// Close implements Backend.
func (s *Sink) Close() error { return nil }

// Frames is how many frames were transmitted.
func (s *Sink) Frames() uint64 { return s.frames.Load() }

// Bytes is how many bytes these frames had, without checksum.
func (s *Sink) Bytes() uint64 { return s.bytes.Load() }

// Wrong is how many frames check called wrong.
func (s *Sink) Wrong() uint64 { return s.bad.Load() }
