package virtio

// Doorbell tells a device that a virtqueue has new buffers: the available buffer
// notification (2.9). It is rung at most once a burst, by one goroutine at a time.
type Doorbell interface {
	// Ring makes v known to the device. Every store that the caller made before
	// is visible to the device first, or it could look at the ring too early and
	// go to sleep.
	Ring(v uint32)
}
