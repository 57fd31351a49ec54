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

// rarp is a frame with a request for the IPv4 address of a station, from itself (RFC 903).
func rarp(mac macAddr) []byte {
	f := make([]byte, 60)
	copy(f, broadcast[:])
	copy(f[6:], mac[:])
	copy(f[12:], []byte{0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3})
	copy(f[22:], mac[:])
	copy(f[32:], mac[:])
	return f
}
