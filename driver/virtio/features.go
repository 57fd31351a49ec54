package virtio

import (
	"fmt"
	"math/bits"
	"strings"
)

// Feature is the number of one feature bit, 0 to 127 (virtio 1.4, 2.2 and 5.1.3).
type Feature uint8

// Network device features (5.1.3).
const (
	NetCSUM         Feature = 0
	NetGuestCSUM    Feature = 1
	NetCtrlOffloads Feature = 2
	NetMTU          Feature = 3
	NetMAC          Feature = 5
	NetGuestTSO4    Feature = 7
	NetGuestTSO6    Feature = 8
	NetGuestECN     Feature = 9
	NetGuestUFO     Feature = 10
	NetHostTSO4     Feature = 11
	NetHostTSO6     Feature = 12
	NetHostECN      Feature = 13
	NetHostUFO      Feature = 14
	NetMrgRxbuf     Feature = 15
	NetStatus       Feature = 16
	NetCtrlVQ       Feature = 17
	NetCtrlRx       Feature = 18
	NetCtrlVLAN     Feature = 19
	NetCtrlRxExtra  Feature = 20
	NetAnnounce     Feature = 21
	NetMQ           Feature = 22
	NetCtrlMACAddr  Feature = 23
	NetDeviceStats  Feature = 50
	NetHashTunnel   Feature = 51
	NetVQNotfCoal   Feature = 52
	NetNotfCoal     Feature = 53
	NetGuestUSO4    Feature = 54
	NetGuestUSO6    Feature = 55
	NetHostUSO      Feature = 56
	NetHashReport   Feature = 57
	NetGuestHdrLen  Feature = 59
	NetRSS          Feature = 60
	NetRSCExt       Feature = 61
	NetStandby      Feature = 62
	NetSpeedDuplex  Feature = 63
	NetRSSContext   Feature = 64
	NetGuestTunnel  Feature = 65
	NetGuestTunnelC Feature = 66
	NetHostTunnel   Feature = 67
	NetHostTunnelC  Feature = 68
	NetOutNetHeader Feature = 69
	NetIPsec        Feature = 70
)

// Features of the legacy interface (5.1.3.2, 6.3). A modern device may still offer them.
const (
	LegacyGSO           Feature = 6
	LegacyNotifyOnEmpty Feature = 24
	LegacyAnyLayout     Feature = 27
)

// Features that every device type shares (6).
const (
	RingIndirectDesc Feature = 28
	RingEventIdx     Feature = 29
	Version1         Feature = 32
	AccessPlatform   Feature = 33
	RingPacked       Feature = 34
	InOrder          Feature = 35
	OrderPlatform    Feature = 36
	SRIOV            Feature = 37
	NotificationData Feature = 38
	NotifConfigData  Feature = 39
	RingReset        Feature = 40
	AdminVQ          Feature = 41
	Suspend          Feature = 43
)

var featureNames = map[Feature]string{
	NetCSUM: "CSUM", NetGuestCSUM: "GUEST_CSUM", NetCtrlOffloads: "CTRL_GUEST_OFFLOADS",
	NetMTU: "MTU", NetMAC: "MAC", NetGuestTSO4: "GUEST_TSO4", NetGuestTSO6: "GUEST_TSO6",
	NetGuestECN: "GUEST_ECN", NetGuestUFO: "GUEST_UFO", NetHostTSO4: "HOST_TSO4",
	NetHostTSO6: "HOST_TSO6", NetHostECN: "HOST_ECN", NetHostUFO: "HOST_UFO",
	NetMrgRxbuf: "MRG_RXBUF", NetStatus: "STATUS", NetCtrlVQ: "CTRL_VQ", NetCtrlRx: "CTRL_RX",
	NetCtrlVLAN: "CTRL_VLAN", NetCtrlRxExtra: "CTRL_RX_EXTRA", NetAnnounce: "GUEST_ANNOUNCE",
	NetMQ: "MQ", NetCtrlMACAddr: "CTRL_MAC_ADDR", NetDeviceStats: "DEVICE_STATS",
	NetHashTunnel: "HASH_TUNNEL", NetVQNotfCoal: "VQ_NOTF_COAL", NetNotfCoal: "NOTF_COAL",
	NetGuestUSO4: "GUEST_USO4", NetGuestUSO6: "GUEST_USO6", NetHostUSO: "HOST_USO",
	NetHashReport: "HASH_REPORT", NetGuestHdrLen: "GUEST_HDRLEN", NetRSS: "RSS",
	NetRSCExt: "RSC_EXT", NetStandby: "STANDBY", NetSpeedDuplex: "SPEED_DUPLEX",
	NetRSSContext: "RSS_CONTEXT", NetGuestTunnel: "GUEST_UDP_TUNNEL_GSO",
	NetGuestTunnelC: "GUEST_UDP_TUNNEL_GSO_CSUM", NetHostTunnel: "HOST_UDP_TUNNEL_GSO",
	NetHostTunnelC: "HOST_UDP_TUNNEL_GSO_CSUM", NetOutNetHeader: "OUT_NET_HEADER",
	NetIPsec: "IPSEC", RingIndirectDesc: "INDIRECT_DESC", RingEventIdx: "EVENT_IDX",
	Version1: "VERSION_1", AccessPlatform: "ACCESS_PLATFORM", RingPacked: "RING_PACKED",
	InOrder: "IN_ORDER", OrderPlatform: "ORDER_PLATFORM", SRIOV: "SR_IOV",
	NotificationData: "NOTIFICATION_DATA", NotifConfigData: "NOTIF_CONFIG_DATA",
	LegacyGSO: "GSO", LegacyNotifyOnEmpty: "NOTIFY_ON_EMPTY", LegacyAnyLayout: "ANY_LAYOUT",
	RingReset: "RING_RESET", AdminVQ: "ADMIN_VQ", Suspend: "SUSPEND",
}

// String returns the name of the bit in the specification, without its prefix, or
// "bit N".
func (f Feature) String() string {
	if name, ok := featureNames[f]; ok {
		return name
	}
	return fmt.Sprintf("bit %d", uint8(f))
}

// MarshalText returns the name.
func (f Feature) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// Features is a set of feature bits. The zero value is the empty set.
// Word 0 holds bits 0 to 63, word 1 bits 64 to 127.
type Features [2]uint64

// FeatureSet returns the set of the given bits.
func FeatureSet(fs ...Feature) Features {
	var s Features
	for _, f := range fs {
		s = s.With(f)
	}
	return s
}

// Has reports whether f is in the set.
func (s Features) Has(f Feature) bool { return s[f>>6&1]>>(f&63)&1 != 0 }

// With returns the set with f added.
func (s Features) With(f Feature) Features { s[f>>6&1] |= 1 << (f & 63); return s }

// Without returns the set with f removed.
func (s Features) Without(f Feature) Features { s[f>>6&1] &^= 1 << (f & 63); return s }

// And returns the bits that are in both sets.
func (s Features) And(t Features) Features { return Features{s[0] & t[0], s[1] & t[1]} }

// Or returns the bits that are in either set.
func (s Features) Or(t Features) Features { return Features{s[0] | t[0], s[1] | t[1]} }

// Minus returns the bits of s that are not in t.
func (s Features) Minus(t Features) Features { return Features{s[0] &^ t[0], s[1] &^ t[1]} }

// Empty reports whether no bit is set.
func (s Features) Empty() bool { return s[0]|s[1] == 0 }

// Window returns the 32 bits that feature_select i selects, i from 0 to 3 (4.1.4.3).
func (s Features) Window(i int) uint32 { return uint32(s[i>>1&1] >> (i & 1 * 32)) }

// WithWindow returns the set with the 32 bits of window i replaced by v.
func (s Features) WithWindow(i int, v uint32) Features {
	shift := i & 1 * 32
	s[i>>1&1] = s[i>>1&1]&^(0xffffffff<<shift) | uint64(v)<<shift
	return s
}

// List returns the bits in ascending order.
func (s Features) List() []Feature {
	fs := make([]Feature, 0, bits.OnesCount64(s[0])+bits.OnesCount64(s[1]))
	for f := Feature(0); f < 128; f++ {
		if s.Has(f) {
			fs = append(fs, f)
		}
	}
	return fs
}

// Names returns the names of the bits in ascending order of their numbers.
func (s Features) Names() []string {
	list := s.List()
	names := make([]string, len(list))
	for i, f := range list {
		names[i] = f.String()
	}
	return names
}

// String returns the names, separated by spaces.
func (s Features) String() string { return strings.Join(s.Names(), " ") }
