package vdev_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

var (
	ownMAC   = []byte{2, 0, 0, 0, 0, 1} // the device's, by default
	otherMAC = []byte{2, 0, 0, 0, 0, 2}
	thirdMAC = []byte{2, 0, 0, 0, 0, 3}
	groupMAC = []byte{1, 0, 0x5e, 0, 0, 1}
	other    = []byte{0x33, 0x33, 0, 0, 0, 1} // another group
	everyone = bytes.Repeat([]byte{0xff}, 6)
)

// frameTo is a frame to an address; vlan is -1 for one without a tag.
func frameTo(to []byte, vlan int) []byte {
	f := make([]byte, 64)
	copy(f, to)
	if f[12], f[13] = 8, 6; vlan >= 0 {
		f[12], f[13], f[14], f[15] = 0x81, 0, byte(vlan>>8)|0x60, byte(vlan)
	}
	return f
}

// arrive sends frames to each of some addresses and returns which of them arrived. All
// others have to be counted as filtered.
func (r *ctrlRig) arrive(vlan int, to ...[]byte) string {
	r.t.Helper()
	before := r.d.Stats()
	var frames [][]byte
	for _, a := range to {
		frames = append(frames, frameTo(a, vlan))
	}
	r.inject(frames...)
	got := ""
	packets := r.ports[0].received()
	for _, p := range packets {
		for i, f := range frames {
			if bytes.Equal(p[virtio.HeaderLen(r.f):], f) {
				got += fmt.Sprint(i)
			}
		}
	}
	s := r.d.Stats()
	if len(got) != len(packets) {
		r.t.Errorf("%d packets, known are %s", len(packets), got)
	}
	if received, filtered := s.RxFrames-before.RxFrames, s.RxFiltered-before.RxFiltered; received+filtered != uint64(len(to)) ||
		int(received) != len(packets) || s.RxDropped != 0 {
		r.t.Errorf("%d frames came, %d arrived, counted are %d received, %d filtered, %d dropped",
			len(to), len(packets), received, filtered, s.RxDropped)
	}
	return got
}

// Each mode and each table lets pass what the specification says (5.1.9.5.1, 5.1.9.5.2).
func TestReceiveFilter(t *testing.T) {
	set := func(mode, on byte) func(r *ctrlRig) {
		return func(r *ctrlRig) { r.do(virtio.CtrlRx, mode, on) }
	}
	table := func(unicast, multicast []byte) func(r *ctrlRig) {
		return func(r *ctrlRig) {
			r.do(virtio.CtrlMAC, virtio.CtrlMACTableSet, cat(le32(uint32(len(unicast)/6)), unicast, le32(uint32(len(multicast)/6)), multicast)...)
		}
	}
	steps := []struct {
		name string
		do   func(r *ctrlRig)
		want string // of own, other, third, group, another group, everyone
	}{
		{"after a reset", func(*ctrlRig) {}, "05"},
		{"promiscuous", set(virtio.CtrlRxPromisc, 1), "012345"},
		{"not promiscuous", set(virtio.CtrlRxPromisc, 0), "05"},
		{"all multicast", set(virtio.CtrlRxAllMulti, 1), "0345"},
		{"and all unicast", set(virtio.CtrlRxAllUni, 1), "012345"},
		{"but no multicast", set(virtio.CtrlRxNoMulti, 1), "0125"},
		{"and no broadcast", set(virtio.CtrlRxNoBcast, 1), "012"},
		{"and no unicast", set(virtio.CtrlRxNoUni, 1), ""},
		{"promiscuous all the same", set(virtio.CtrlRxPromisc, 1), "012345"},
		{"nothing again", set(virtio.CtrlRxPromisc, 0), ""},
		{"broadcast", set(virtio.CtrlRxNoBcast, 0), "5"},
		{"multicast", set(virtio.CtrlRxNoMulti, 0), "345"},
		{"unicast", set(virtio.CtrlRxNoUni, 0), "012345"},
		{"not all unicast", set(virtio.CtrlRxAllUni, 0), "0345"},
		{"not all multicast", set(virtio.CtrlRxAllMulti, 0), "05"},
		{"a table", table(cat(otherMAC, thirdMAC), groupMAC), "01235"},
		{"another table", table(nil, other), "045"},
		{"another address", func(r *ctrlRig) { r.do(virtio.CtrlMAC, virtio.CtrlMACAddrSet, otherMAC...) }, "145"},
		{"an empty table", table(nil, nil), "15"},
		{"a reset", func(r *ctrlRig) { r.start(r.f) }, "05"},
	}
	byFormat(t, allCtrl, func(t *testing.T, f virtio.Features) {
		r := newCtrlRig(t, vdev.Config{}, f)
		for _, s := range steps {
			s.do(r)
			if got := r.arrive(-1, ownMAC, otherMAC, thirdMAC, groupMAC, other, everyone); got != s.want {
				t.Errorf("%s: frames %q arrived, want %q", s.name, got, s.want)
			}
		}
		r.clean()
	})
}

// A driver that has no way to ask for frames gets all of them, except what it suppresses.
func TestFilterWithoutCtrlRx(t *testing.T) {
	without := allCtrl.Without(virtio.NetCtrlRx).Without(virtio.NetCtrlVLAN)
	for name, f := range map[string]virtio.Features{
		"neither": without.Without(virtio.NetCtrlRxExtra), "CTRL_RX_EXTRA alone": without, "no control queue": {},
	} {
		r := newCtrlRig(t, vdev.Config{}, f.With(virtio.Version1))
		if got := r.arrive(7, ownMAC, otherMAC, groupMAC, everyone); got != "0123" {
			t.Errorf("%s: frames %q arrived", name, got)
		}
		if f == without {
			r.do(virtio.CtrlRx, virtio.CtrlRxNoMulti, 1)
			if got := r.arrive(-1, ownMAC, otherMAC, groupMAC, everyone); got != "013" {
				t.Errorf("%s: frames %q arrived without multicast", name, got)
			}
		}
		r.clean()
	}
}

// Without Config.Filter promiscuous mode is on until the driver switches it off.
func TestPromiscuousAfterReset(t *testing.T) {
	near, peer := wire.Cable()
	r := &ctrlRig{guest: newGuest(t, vdev.Config{Backend: near}, 1<<20), peer: peer}
	for range 2 {
		r.start(split.Or(allCtrl))
		if got := r.arrive(7, ownMAC, otherMAC, groupMAC, everyone); got != "0123" {
			t.Errorf("frames %q arrived", got)
		}
		r.do(virtio.CtrlRx, virtio.CtrlRxPromisc, 0)
		if got := r.arrive(-1, ownMAC, otherMAC, groupMAC, everyone); got != "03" {
			t.Errorf("frames %q arrived without promiscuous mode", got)
		}
	}
	r.clean()
}

// The VLAN filter starts empty (x/net/vlan), leaves untagged frames alone, and does not
// count in promiscuous mode.
func TestVLANFilter(t *testing.T) {
	r := newCtrlRig(t, vdev.Config{}, split.Or(allCtrl))
	check := func(step string, want map[int]bool) {
		t.Helper()
		for vlan, passes := range want {
			if got := r.arrive(vlan, ownMAC) == "0"; got != passes {
				t.Errorf("%s: VLAN %d arrives: %v", step, vlan, got)
			}
		}
	}
	check("at first", map[int]bool{-1: true, 0: false, 5: false, 4095: false})
	for _, id := range []int{0, 5, 5, 64, 4095} {
		r.do(virtio.CtrlVLAN, virtio.CtrlVLANAdd, le16(id)...)
	}
	check("added", map[int]bool{-1: true, 0: true, 4: false, 5: true, 6: false, 63: false, 64: true, 65: false, 4095: true})
	r.do(virtio.CtrlVLAN, virtio.CtrlVLANDel, le16(5)...)
	r.do(virtio.CtrlVLAN, virtio.CtrlVLANDel, le16(9)...)
	check("removed", map[int]bool{-1: true, 0: true, 5: false, 64: true})
	if got := r.arrive(64, otherMAC, everyone); got != "1" {
		t.Errorf("in VLAN 64 frames %q arrived", got)
	}
	r.do(virtio.CtrlRx, virtio.CtrlRxPromisc, 1)
	check("promiscuous", map[int]bool{5: true, 64: true})
	r.clean()
}

// A frame keeps its offload when one before it is filtered out.
func TestFilterWithOffloads(t *testing.T) {
	r := newCtrlRig(t, vdev.Config{}, split.Or(allCtrl).Without(virtio.NetHashReport).With(virtio.NetGuestCSUM))
	r.do(virtio.CtrlMAC, virtio.CtrlMACAddrSet, ownMAC...)
	partial := one.offload(t, 0)[virtio.NetHeaderLen:]
	toOther, toOwn := bytes.Clone(partial), bytes.Clone(partial)
	copy(toOther, thirdMAC)
	copy(toOwn, ownMAC)
	o := vdev.Offload{Flags: virtio.NetHeaderNeedsCsum, CsumStart: 34, CsumOffset: 16}
	r.peer.(vdev.OffloadBackend).TransmitOffloads(0, [][]byte{frameTo(thirdMAC, -1), toOther, toOwn, frameTo(ownMAC, -1)}, []vdev.Offload{{}, o, o, {}})
	r.d.Poll()
	packets := r.ports[0].received()
	if len(packets) != 2 || packets[0][0] != virtio.NetHeaderNeedsCsum || !bytes.Equal(packets[0][12:], toOwn) || packets[1][0] != 0 {
		t.Errorf("%d packets arrived: % x", len(packets), packets)
	}
	r.clean()
}

// More addresses than the device filters by let all addresses of their kind pass.
func TestMACTableOverflow(t *testing.T) {
	r := newCtrlRig(t, vdev.Config{MACTable: 2}, split.Or(allCtrl))
	group := func(n int) (list []byte) {
		for i := range n {
			list = append(list, 1, 2, 3, 4, 5, byte(i))
		}
		return cat(le32(0), le32(uint32(n)), list)
	}
	r.do(virtio.CtrlMAC, virtio.CtrlMACTableSet, group(2)...)
	if got := r.arrive(-1, otherMAC, groupMAC); got != "" {
		t.Errorf("a table that fits: frames %q arrived", got)
	}
	r.do(virtio.CtrlMAC, virtio.CtrlMACTableSet, group(3)...)
	if got := r.arrive(-1, otherMAC, groupMAC); got != "1" {
		t.Errorf("a table that does not fit: frames %q arrived", got)
	}
	r.clean()
}

// MAC_ADDR_SET shows in the configuration, until a reset.
func TestMACAddrSet(t *testing.T) {
	r := newCtrlRig(t, vdev.Config{}, split.Or(allCtrl))
	mac := func() (b []byte) {
		for i := range 6 {
			b = append(b, byte(r.d.ReadConfig(i, 1)))
		}
		return b
	}
	before := r.d.Generation()
	r.do(virtio.CtrlMAC, virtio.CtrlMACAddrSet, otherMAC...)
	if !bytes.Equal(mac(), otherMAC) || r.d.Generation() == before {
		t.Errorf("the configuration has %x, generation %d", mac(), r.d.Generation())
	}
	r.d.SetStatus(0)
	if !bytes.Equal(mac(), ownMAC) {
		t.Errorf("after a reset the configuration has %x", mac())
	}
	r.d.SetConfig(virtio.NetConfigMAC, thirdMAC...)
	r.start(r.f)
	if got := r.arrive(-1, ownMAC, otherMAC, thirdMAC); !bytes.Equal(mac(), thirdMAC) || got != "2" {
		t.Errorf("the device has another address: the configuration has %x, frames %q arrived", mac(), got)
	}
	r.clean()
}
