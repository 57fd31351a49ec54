package wire

import (
	"sync/atomic"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
)

// Sink is a wire that counts what is transmitted and receives nothing.
type Sink struct {
	frames, bytes, bad atomic.Uint64
	check              func(pair int, frame []byte) bool
}

// Null returns a Sink.
func Null() *Sink { return &Sink{} }

// NullCheck returns a Sink that calls check for each frame and counts those for
// which it returns false. check must not keep or change the frame.
func NullCheck(check func(pair int, frame []byte) bool) *Sink { return &Sink{check: check} }

// Attach implements [vdev.Backend].
func (s *Sink) Attach(func()) error { return nil }

// Transmit implements [vdev.Backend]: it takes every frame.
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

// Receive implements [vdev.Backend]: there are no frames.
func (s *Sink) Receive(int, [][]byte) int { return 0 }

// Traits implements [vdev.Backend].
func (s *Sink) Traits() vdev.Traits { return vdev.Traits{} }

// Close implements [vdev.Backend].
func (s *Sink) Close() error { return nil }

// Frames returns how many frames were transmitted.
func (s *Sink) Frames() uint64 { return s.frames.Load() }

// Bytes returns how many bytes these frames had, without checksum.
func (s *Sink) Bytes() uint64 { return s.bytes.Load() }

// Wrong returns for how many frames the check of [NullCheck] returned false.
func (s *Sink) Wrong() uint64 { return s.bad.Load() }
