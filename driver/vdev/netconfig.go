package vdev

import (
	"encoding/binary"
	"slices"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// netConfigSize is the device configuration up to and with supported_tunnel_types (5.1.4).
const netConfigSize = 28

// netConfig is struct virtio_net_config as the driver reads it.
type netConfig struct {
	bytes [netConfigSize]byte
	link  bool
	mtu   int
	mac   macAddr // what bytes has after a reset
	// generation changes with the other fields (2.5.1).
	generation uint8
}

func newNetConfig(c Config) netConfig {
	n := netConfig{link: true, mtu: c.MTU, mac: macAddr(c.MAC)}
	copy(n.bytes[virtio.NetConfigMAC:], c.MAC)
	put := binary.LittleEndian.PutUint16
	put(n.bytes[virtio.NetConfigStatus:], virtio.NetStatusLinkUp)
	put(n.bytes[virtio.NetConfigMaxPairs:], uint16(c.Pairs))
	put(n.bytes[virtio.NetConfigMTU:], uint16(c.MTU))
	binary.LittleEndian.PutUint32(n.bytes[virtio.NetConfigSpeed:], 10000)
	n.bytes[virtio.NetConfigDuplex] = 1
	n.bytes[virtio.NetConfigRSSMaxKeySize] = byte(c.RSSKeySize)
	put(n.bytes[virtio.NetConfigRSSMaxTable:], uint16(c.RSSTable))
	binary.LittleEndian.PutUint32(n.bytes[virtio.NetConfigHashTypes:], uint32(c.HashTypes))
	binary.LittleEndian.PutUint32(n.bytes[virtio.NetConfigTunnelTypes:], uint32(c.TunnelTypes))
	return n
}

// ConfigSize returns the length of the device configuration in bytes.
func (d *Device) ConfigSize() int { return netConfigSize }

// configGates lists the features of which each makes a field exist (5.1.4).
var configGates = []struct {
	first, end int
	features   []virtio.Feature
}{
	{virtio.NetConfigStatus, virtio.NetConfigMaxPairs, []virtio.Feature{virtio.NetStatus}},
	{virtio.NetConfigMaxPairs, virtio.NetConfigMTU, []virtio.Feature{virtio.NetMQ, virtio.NetRSS}},
	{virtio.NetConfigMTU, virtio.NetConfigSpeed, []virtio.Feature{virtio.NetMTU}},
	{virtio.NetConfigSpeed, virtio.NetConfigRSSMaxKeySize, []virtio.Feature{virtio.NetSpeedDuplex}},
	{virtio.NetConfigRSSMaxKeySize, virtio.NetConfigRSSMaxTable, []virtio.Feature{virtio.NetRSS, virtio.NetHashReport}},
	{virtio.NetConfigRSSMaxTable, virtio.NetConfigHashTypes, []virtio.Feature{virtio.NetRSS}},
	{virtio.NetConfigHashTypes, virtio.NetConfigTunnelTypes, []virtio.Feature{virtio.NetRSS, virtio.NetHashReport}},
	{virtio.NetConfigTunnelTypes, netConfigSize, []virtio.Feature{virtio.NetHashTunnel}},
}

// configWidth returns the width of the field that begins at off, 0 if none does.
func configWidth(off int) int {
	switch {
	case off < virtio.NetConfigStatus, off == virtio.NetConfigDuplex, off == virtio.NetConfigRSSMaxKeySize:
		return 1
	case off == virtio.NetConfigStatus, off == virtio.NetConfigMaxPairs, off == virtio.NetConfigMTU,
		off == virtio.NetConfigRSSMaxTable:
		return 2
	case off == virtio.NetConfigSpeed, off == virtio.NetConfigHashTypes, off == virtio.NetConfigTunnelTypes:
		return 4
	}
	return 0
}

// ReadConfig reads width bytes (1, 2 or 4) of device configuration at off.
func (d *Device) ReadConfig(off, width int) uint32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if off < 0 || width < 1 || width > 4 || off+width > netConfigSize {
		return 0
	}
	if configWidth(off) != width {
		d.violate("pci/access/1", -1, "device configuration at %d read with %d bytes", off, width)
	}
	for _, g := range configGates {
		if off < g.end && off+width > g.first && !slices.ContainsFunc(g.features, d.cfg.Offer.Has) {
			d.violate("basic/config/3", -1, "device configuration at %d read, which needs %v", off, g.features)
		}
	}
	var b [4]byte
	copy(b[:width], d.net.bytes[off:])
	if d.faults.GenerationFlaps != 0 {
		d.net.generation++
		if d.faults.GenerationFlaps > 0 {
			d.faults.GenerationFlaps--
		}
	}
	return binary.LittleEndian.Uint32(b[:])
}

// WriteConfig is a write to device configuration. A modern network device has
// no field that a driver may write; nothing changes.
func (d *Device) WriteConfig(off, width int, v uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.negotiated {
		d.violate("basic/init/2", -1, "device configuration at %d written before FEATURES_OK", off)
	}
	d.violate("net/config/1", -1, "device configuration at %d written (%d bytes, %#x)", off, width, v)
}

// Generation reads the configuration generation (2.5.1).
func (d *Device) Generation() uint8 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.net.generation
}

// SetConfig overwrites device configuration at off and reports the change to the
// driver: the generation changes and there is a configuration interrupt. Invalid
// values are allowed.
func (d *Device) SetConfig(off int, b ...byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if off >= 0 && off < netConfigSize {
		copy(d.net.bytes[off:], b)
		if off < virtio.NetConfigStatus {
			d.net.mac = macAddr(d.net.bytes[virtio.NetConfigMAC:virtio.NetConfigStatus])
		}
	}
	d.configChanged()
}

// SetLink takes the link up or down. While it is down no frame passes.
func (d *core) SetLink(up bool) {
	d.mu.Lock()
	if d.net.link != up {
		d.net.link = up
		d.net.bytes[virtio.NetConfigStatus] &^= virtio.NetStatusLinkUp
		if up {
			d.net.bytes[virtio.NetConfigStatus] |= virtio.NetStatusLinkUp
		}
		d.configChanged()
	}
	d.mu.Unlock()
	d.wake()
}

func (d *core) configChanged() {
	d.net.generation++
	if d.running {
		d.irq.Config()
	}
}
