package driver

import (
	"encoding/binary"
	"fmt"
	"net"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// featureInfo lists what the device offers and what is asked for. d.mu is held.
func (d *device) featureInfo(n *negotiated) []FeatureInfo {
	wanted := d.cfg.acceptable()
	if d.cfg.Queues == 1 {
		wanted = wanted.Without(virtio.NetMQ)
	}
	status := map[virtio.Feature]FeatureStatus{}
	for _, s := range Features() {
		status[s.Feature] = s
	}
	var list []FeatureInfo
	for _, f := range n.offered.Or(wanted).Or(n.features).List() {
		list = append(list, FeatureInfo{
			Feature: f, Bit: int(f),
			Offered: n.offered.Has(f), Wanted: wanted.Has(f), Negotiated: n.features.Has(f),
			Reason: d.featureReason(n, f, status),
		})
	}
	return list
}

// featureReason says why a feature was not accepted, or what it is for.
func (d *device) featureReason(n *negotiated, f virtio.Feature, status map[virtio.Feature]FeatureStatus) string {
	s, known := status[f]
	why, dropped := n.dropped[f]
	switch {
	case n.features.Has(f):
		return s.Reason
	case !n.offered.Has(f):
		return "the device does not offer it"
	case d.cfg.Refuse.Has(f):
		return "the configuration refuses it"
	case !known:
		return "the driver does not know it"
	case s.Acceptance == Refused:
		return s.Reason
	case s.Acceptance == OnRequest && !d.cfg.Request.Or(d.cfg.Require).Has(f):
		return "on request: " + s.Reason
	case dropped:
		return why
	}
	if missing := n.features.Missing(f); !missing.Empty() {
		return "it requires " + strings.Join(missing.Names(), ", ") + ", which was not accepted"
	}
	return "it was not offered when the port was opened"
}

// configFields are the fields of the device configuration, each with the features of which
// one offered is enough for the field to be there (5.1.4).
var configFields = []struct {
	name       string
	off, width int
	length     int // in accesses
	with       virtio.Features
}{
	{"mac", virtio.NetConfigMAC, 1, macBytes, virtio.FeatureSet(virtio.NetMAC)},
	{"status", virtio.NetConfigStatus, 2, 1, virtio.FeatureSet(virtio.NetStatus)},
	{"max_virtqueue_pairs", virtio.NetConfigMaxPairs, 2, 1, virtio.FeatureSet(virtio.NetMQ, virtio.NetRSS)},
	{"mtu", virtio.NetConfigMTU, 2, 1, virtio.FeatureSet(virtio.NetMTU)},
	{"speed", virtio.NetConfigSpeed, 4, 1, virtio.FeatureSet(virtio.NetSpeedDuplex)},
	{"duplex", virtio.NetConfigDuplex, 1, 1, virtio.FeatureSet(virtio.NetSpeedDuplex)},
	{"rss_max_key_size", virtio.NetConfigRSSMaxKeySize, 1, 1, virtio.FeatureSet(virtio.NetRSS, virtio.NetHashReport)},
	{"rss_max_indirection_table_length", virtio.NetConfigRSSMaxTable, 2, 1, virtio.FeatureSet(virtio.NetRSS)},
	{"supported_hash_types", virtio.NetConfigHashTypes, 4, 1, virtio.FeatureSet(virtio.NetRSS, virtio.NetHashReport)},
	{"supported_tunnel_types", virtio.NetConfigTunnelTypes, 4, 1, virtio.FeatureSet(virtio.NetHashTunnel)},
}

// readConfigFields reads the fields that a device has.
func readConfigFields(t transport.Transport, offered virtio.Features) ([]ConfigField, error) {
	var list []ConfigField
	for _, f := range configFields {
		if f.with.And(offered).Empty() {
			continue
		}
		b := make([]byte, 8)
		if err := t.ReadConfig(f.off, f.width, b[:f.width*f.length]); err != nil {
			return list, fmt.Errorf("%s: %w", f.name, err)
		}
		list = append(list, ConfigField{f.name, configText(f.name, b)})
	}
	return list, nil
}

// configText returns the value of a field in words.
func configText(name string, b []byte) string {
	v := binary.LittleEndian.Uint64(b)
	switch name {
	case "mac":
		return net.HardwareAddr(b[:macBytes]).String()
	case "status":
		return fmt.Sprintf("%#x%s", v, bitNames(v, "LINK_UP", "ANNOUNCE"))
	case "speed":
		if v > speedMax {
			return fmt.Sprintf("%#x (unknown)", v)
		}
		return fmt.Sprintf("%d Mbit/s", v)
	case "duplex":
		switch v {
		case duplexFull:
			return "1 (full)"
		case duplexHalf:
			return "0 (half)"
		}
		return fmt.Sprintf("%#x (unknown)", v)
	case "supported_hash_types":
		return fmt.Sprintf("%#x%s", v, bitNames(v, hashTypeNames...))
	case "supported_tunnel_types":
		return fmt.Sprintf("%#x%s", v, bitNames(v, tunnelTypeNames...))
	}
	return fmt.Sprint(v)
}

// bitNames returns the names of the bits of v that are set, from bit 0 on, as " (A B)".
func bitNames(v uint64, names ...string) string {
	var set []string
	for i, name := range names {
		if v>>i&1 != 0 {
			set = append(set, name)
		}
	}
	if set == nil {
		return ""
	}
	return " (" + strings.Join(set, " ") + ")"
}
