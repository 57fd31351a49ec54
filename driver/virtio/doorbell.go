package virtio

// Doorbell notifies a device that a virtqueue has new buffers: the available buffer
// notification (2.9). It is rung at most once a burst, by one goroutine at a time.
type Doorbell interface {
	// Ring writes v to the device. Every earlier store of the caller is visible to
	// the device first: otherwise it could read the ring too early and miss the new
	// buffers.
	Ring(v uint32)
}
