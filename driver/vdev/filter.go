package vdev

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

const (
	maxVLAN = 4095

	// defaultMACTable is Config.MACTable if that is 0.
	defaultMACTable = 64
)

type macAddr [6]byte

var broadcast = macAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// filter decides which received frames reach the driver (5.1.9.5.1 to 5.1.9.5.3).
//
// After a reset all modes are off, but for promiscuous mode unless Config.Filter is set;
// both tables of addresses are empty, and so is that of VLANs: with CTRL_RX a driver that
// has switched promiscuous mode off receives what is for its default address and
// broadcasts, and with CTRL_VLAN nothing that is tagged. Without CTRL_RX it has no way to
// ask for more, and no address is filtered; CTRL_RX_EXTRA alone can still suppress kinds of
// addresses. Promiscuous mode lets every frame pass, tagged ones and suppressed kinds
// included. Only tags of type 0x8100 are VLAN tags here, and VLAN 0 is one like the others.
type filter struct {
	on bool // there is something to filter

	mac                macAddr
	unicast, multicast macTable

	promiscuous, allMulticast, allUnicast, noMulticast, noUnicast, noBroadcast bool

	tagged bool                       // CTRL_VLAN: tagged frames are filtered
	vlans  [(maxVLAN + 1) / 64]uint64 // a bit for each VLAN
}

// reset puts the filter into its state after a reset, for the accepted features.
// promiscuous is whether it begins in that mode.
func (f *filter) reset(accepted virtio.Features, mac macAddr, promiscuous bool) {
	rx, tagged := accepted.Has(virtio.NetCtrlRx), accepted.Has(virtio.NetCtrlVLAN)
	*f = filter{on: rx || tagged || accepted.Has(virtio.NetCtrlRxExtra), tagged: tagged, mac: mac}
	f.allMulticast, f.allUnicast = !rx, !rx
	f.promiscuous = rx && promiscuous
}

// passes reports whether a frame reaches the driver when promiscuous mode is off. One
// without an Ethernet header does.
func (f *filter) passes(frame []byte) bool {
	if len(frame) < etherHeader {
		return true
	}
	if f.tagged && binary.BigEndian.Uint16(frame[12:]) == etherVLAN && len(frame) >= etherHeader+vlanTag {
		id := binary.BigEndian.Uint16(frame[14:]) & maxVLAN
		if f.vlans[id/64]>>(id%64)&1 == 0 {
			return false
		}
	}
	switch to := macAddr(frame[:6]); {
	case to == broadcast:
		return !f.noBroadcast
	case to[0]&1 != 0:
		return !f.noMulticast && (f.allMulticast || f.multicast.has(to))
	default:
		return !f.noUnicast && (f.allUnicast || to == f.mac || f.unicast.has(to))
	}
}

// macTable is a list of addresses of the MAC filtering table. A driver may give it any
// number of them; if it is too many, all addresses pass.
type macTable struct {
	addrs map[macAddr]struct{}
	all   bool
}

// set replaces the table by a list of addresses of 6 bytes, of which it has room for some.
func (t *macTable) set(list []byte, room int) {
	*t = macTable{all: len(list)/6 > room}
	if t.all || len(list) == 0 {
		return
	}
	t.addrs = make(map[macAddr]struct{}, len(list)/6)
	for i := 0; i < len(list); i += 6 {
		t.addrs[macAddr(list[i:i+6])] = struct{}{}
	}
}

func (t *macTable) has(a macAddr) bool {
	_, found := t.addrs[a]
	return found || t.all
}

// filterStage takes the frames out of a fresh stage that do not reach the driver, and
// returns how many.
func (d *core) filterStage(s *stage) int {
	kept := 0
	for i, frame := range s.frames[:s.n] {
		if d.filter.passes(frame) {
			s.frames[kept], s.offloads[kept] = s.frames[i], s.offloads[i]
			kept++
		}
	}
	filtered := s.n - kept
	s.n = kept
	d.filtered.Add(uint64(filtered))
	return filtered
}
