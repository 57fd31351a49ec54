package driver

import (
	"crypto/rand"
	"encoding/binary"
	"net"
	"slices"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

const (
	maxMTU = 65535
	// l2Header is what Ethernet puts before the MTU's bytes: two addresses and
	// a type. A VLAN tag in between is part of it, where there is one.
	l2Header = 14
	vlanTag  = 4

	speedMax   = 0x7fffffff // anything above means unknown (5.1.4.2)
	duplexFull = 1
	duplexHalf = 0
	macBytes   = 6
)

// chooseMAC returns the port's address. That of the device is the one to use if
// MAC was accepted (5.1.4.2). One that no interface can have is replaced: a
// device must not be able to make its host answer for a multicast address.
// last is the address before the device was reset, nil if there was none.
func (p *Port) chooseMAC(f virtio.Features, last net.HardwareAddr) (net.HardwareAddr, error) {
	if p.cfg.MAC != nil {
		return slices.Clone(p.cfg.MAC), nil
	}
	if f.Has(virtio.NetMAC) {
		mac := make(net.HardwareAddr, macBytes)
		if err := p.t.ReadConfig(virtio.NetConfigMAC, 1, mac); err != nil {
			return nil, err
		}
		if usable(mac) {
			return mac, nil
		}
		p.log.Warn("the device's MAC address is not that of one interface and not used", "mac", mac)
	}
	if last != nil {
		return last, nil
	}
	return randomMAC(), nil
}

// usable tells whether mac can be the address of one interface.
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

// readLink reads the state of the link, as far as features allow to look.
func readLink(t transport.Transport, f virtio.Features) (Link, error) {
	link := Link{Up: true} // without STATUS the link counts as up (5.1.4.2)
	if f.Has(virtio.NetStatus) {
		status, err := readConfig16(t, virtio.NetConfigStatus)
		if err != nil {
			return Link{}, err
		}
		link.Up = status&virtio.NetStatusLinkUp != 0
	}
	if !f.Has(virtio.NetSpeedDuplex) {
		return link, nil
	}
	var speed [4]byte
	if err := t.ReadConfig(virtio.NetConfigSpeed, 4, speed[:]); err != nil {
		return Link{}, err
	}
	var duplex [1]byte
	if err := t.ReadConfig(virtio.NetConfigDuplex, 1, duplex[:]); err != nil {
		return Link{}, err
	}
	if v := binary.LittleEndian.Uint32(speed[:]); v <= speedMax {
		link.Speed = int(v)
	}
	switch duplex[0] {
	case duplexFull:
		link.Duplex = FullDuplex
	case duplexHalf:
		link.Duplex = HalfDuplex
	}
	return link, nil
}
