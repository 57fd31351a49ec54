package driver

import (
	"crypto/rand"
	"encoding/binary"
	"net"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

const (
	maxMTU = 65535
	// l2Header is the length of what Ethernet puts in front of the MTU's bytes: two
	// addresses and a type. A VLAN tag, if there is one, is between them.
	l2Header = 14
	vlanTag  = 4

	macBytes = 6
)

// selectMTU selects the MTU, and drops the feature MTU if the device's is below
// what an IPv4 link must carry. d.mu is held.
func (d *device) selectMTU(n *negotiated) error {
	n.mtu = DefaultMTU
	if n.features.Has(virtio.NetMTU) {
		mtu, err := readConfig16(d.t, virtio.NetConfigMTU)
		if err != nil {
			return err
		}
		if mtu < virtio.MinMTU {
			d.log.Warn("the device's MTU is below 68 and ignored", "mtu", mtu)
			n.drop(virtio.NetMTU, "the device's MTU is below 68")
		} else {
			n.deviceMTU, n.mtu = mtu, mtu
		}
	}
	if d.cfg.MTU != 0 {
		n.mtu = d.cfg.MTU
	}
	if n.deviceMTU != 0 && n.mtu > n.deviceMTU {
		d.log.Warn("the MTU is lowered to the device's", "asked", n.mtu, "mtu", n.deviceMTU)
		n.mtu = n.deviceMTU
	}
	return nil
}

// maxFrame is the longest frame that may be sent, 0 if nothing limits it.
func (n *negotiated) maxFrame(asked int) int {
	if n.deviceMTU == 0 && asked == 0 {
		return 0
	}
	return n.mtu + l2Header
}

// selectMAC returns the port's address. If MAC was accepted, it is the device's
// (5.1.4.2). An address that no interface can have is replaced: a device must not be
// able to make its host answer for a multicast address.
// last is the address before the device was reset, nil if there was none. d.mu is
// held.
func (d *device) selectMAC(f virtio.Features, last net.HardwareAddr) (net.HardwareAddr, error) {
	if mac := d.settings.mac.address; mac != nil {
		return mac, nil
	}
	if f.Has(virtio.NetMAC) {
		mac := make(net.HardwareAddr, macBytes)
		if err := d.t.ReadConfig(virtio.NetConfigMAC, 1, mac); err != nil {
			return nil, err
		}
		if usable(mac) {
			return mac, nil
		}
		d.log.Warn("the device's MAC address is not that of one interface; it is not used", "mac", mac)
	}
	if last != nil {
		return last, nil
	}
	return randomMAC(), nil
}

// usable reports whether mac can be the address of one interface.
func usable(mac net.HardwareAddr) bool {
	return len(mac) == macBytes && mac[0]&1 == 0 && string(mac) != "\x00\x00\x00\x00\x00\x00"
}

// randomMAC returns a locally administered address.
func randomMAC() net.HardwareAddr {
	mac := make(net.HardwareAddr, macBytes)
	_, _ = rand.Read(mac) // never fails
	mac[0] = mac[0]&^1 | 2
	return mac
}

// readConfig16 reads one le16 field.
func readConfig16(t transport.Transport, off int) (int, error) {
	var b [2]byte
	if err := t.ReadConfig(off, 2, b[:]); err != nil {
		return 0, err
	}
	return int(binary.LittleEndian.Uint16(b[:])), nil
}
