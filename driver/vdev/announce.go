package vdev

import "github.com/virtio-pmd/virtio-pmd/driver/virtio"

// SetAnnounce asks the driver to announce its addresses to the network: it sets ANNOUNCE in
// the status of the configuration, until the driver acknowledges it or resets the device
// (5.1.9.5.4). It reports whether the driver accepted GUEST_ANNOUNCE; nothing happens
// otherwise.
func (d *Device) SetAnnounce() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.running || !d.accepted.Has(virtio.NetAnnounce) {
		return false
	}
	d.net.bytes[virtio.NetConfigStatus] |= virtio.NetStatusAnnounce
	d.configChanged()
	return true
}

// Announcing reports whether the driver was asked to announce its addresses and has not
// acknowledged it.
func (d *Device) Announcing() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.net.bytes[virtio.NetConfigStatus]&virtio.NetStatusAnnounce != 0
}

// announced is ANNOUNCE_ACK.
func (d *Device) announced(*queue, []byte) bool {
	if !d.faults.IgnoreAnnounceAck {
		d.stopAnnouncing()
	}
	return true
}

// stopAnnouncing takes ANNOUNCE away. The driver expects that, so that there is no
// interrupt.
func (d *Device) stopAnnouncing() {
	if d.net.bytes[virtio.NetConfigStatus]&virtio.NetStatusAnnounce != 0 {
		d.net.bytes[virtio.NetConfigStatus] &^= virtio.NetStatusAnnounce
		d.net.generation++
	}
}
