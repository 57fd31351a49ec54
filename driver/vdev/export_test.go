package vdev

import "github.com/virtio-pmd/virtio-pmd/driver/virtio"

// CrashAt has f called before each store that a device that takes the place of d goes by.
// If f panics, d ends there, as if its process had been killed.
func (d *VhostDevice) CrashAt(f func()) { d.crash = f }

// SetReceiveOffloads does what the command that sets offloads does.
func (d *Device) SetReceiveOffloads(f virtio.Features) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.setReceiveOffloads(f)
}
