package waketest

import (
	"sync"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
)

// Wire is a back end of a device in software by which a test delivers frames one at a time.
// What the driver sends is dropped.
type Wire struct {
	mu      sync.Mutex
	wake    func()
	pending [][]byte
}

// Deliver has the device receive a frame.
func (w *Wire) Deliver(frame []byte) error {
	w.mu.Lock()
	w.pending = append(w.pending, frame)
	w.mu.Unlock()
	w.wake()
	return nil
}

// Attach implements vdev.Backend.
func (w *Wire) Attach(wake func()) error { w.wake = wake; return nil }

// Traits implements vdev.Backend.
func (w *Wire) Traits() vdev.Traits { return vdev.Traits{Lossless: true} }

// Close implements vdev.Backend.
func (w *Wire) Close() error { return nil }

// Transmit implements vdev.Backend.
func (w *Wire) Transmit(_ int, frames [][]byte) int { return len(frames) }

// Receive implements vdev.Backend.
func (w *Wire) Receive(_ int, frames [][]byte) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := copy(frames, w.pending)
	w.pending = w.pending[n:]
	return n
}
