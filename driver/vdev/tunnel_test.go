package vdev_test

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// outer returns a frame with an IP packet between these addresses.
func outer(src, dst string, proto byte, payload ...[]byte) []byte {
	body := cat(payload...)
	from, to := netip.MustParseAddr(src).AsSlice(), netip.MustParseAddr(dst).AsSlice()
	header := make([]byte, 12)
	if len(from) == 4 {
		header = append(header, 8, 0, 0x45, 0)
		header = binary.BigEndian.AppendUint16(header, uint16(20+len(body)))
		header = append(header, 0, 0, 0, 0, 64, proto, 0, 0)
	} else {
		header = append(header, 0x86, 0xdd, 0x60, 0, 0, 0)
		header = binary.BigEndian.AppendUint16(header, uint16(len(body)))
		header = append(header, proto, 64)
	}
	return cat(header, from, to, body)
}

// outer4 and outer6 are packets of a tunnel.
func outer4(proto byte, payload ...[]byte) []byte {
	return outer("192.0.2.1", "192.0.2.2", proto, payload...)
}

func outer6(proto byte, payload ...[]byte) []byte {
	return outer("2001:db8::1", "2001:db8::2", proto, payload...)
}

// udpTo is the header of a datagram for a port.
func udpTo(port int) []byte {
	return cat([]byte{0xc0, 0}, binary.BigEndian.AppendUint16(nil, uint16(port)), make([]byte, 4))
}

// tunnelled are packets in tunnels: those inside are flows 1 over IPv4 and IPv6.
type tunnelled struct {
	frame []byte
	types virtio.TunnelTypes // of which each is enough for the inner packet to count
	inner []byte             // as a frame of its own
}

func tunnels() map[string]tunnelled {
	in4 := flowFrame(1).frame()
	in6 := ipPacket{src: "fd00::1", dst: "fd00::2", sport: 7, dport: 9, proto: 17}.frame()
	ip4, ip6 := in4[14:], in6[14:]
	ports := udpTo(4789)
	vxlan, key := []byte{8, 0, 0, 0, 0, 0, 5, 0}, []byte{0, 0, 5, 1}
	sum, sequence := make([]byte, 4), []byte{0, 0, 0, 9}
	return map[string]tunnelled{
		"GRE":                    {outer4(47, []byte{0, 0, 8, 0}, ip4), virtio.TunnelGRE2784, in4},
		"GRE with a checksum":    {outer4(47, []byte{0x80, 0, 8, 0}, sum, ip4), virtio.TunnelGRE2784, in4},
		"GRE of Ethernet":        {outer4(47, []byte{0, 0, 0x65, 0x58}, in6), virtio.TunnelGRE2784, in6},
		"GRE with a key":         {outer4(47, []byte{0x20, 0, 8, 0}, key, ip4), virtio.TunnelGRE2890, in4},
		"GRE with all":           {outer4(47, []byte{0xb0, 0, 8, 0}, sum, key, sequence, ip4), virtio.TunnelGRE2890, in4},
		"GRE of IPv6":            {outer4(47, []byte{0, 0, 0x86, 0xdd}, ip6), virtio.TunnelGRE7676, in6},
		"GRE over IPv6":          {outer6(47, []byte{0, 0, 8, 0}, ip4), virtio.TunnelGRE7676, in4},
		"GRE over IPv6, a key":   {outer6(47, []byte{0x20, 0, 8, 0}, key, ip4), virtio.TunnelGRE7676 | virtio.TunnelGRE2890, in4},
		"NVGRE":                  {outer4(47, []byte{0x20, 0, 0x65, 0x58}, key, in4), virtio.TunnelNVGRE | virtio.TunnelGRE2890, in4},
		"GRE in UDP":             {outer4(17, udpTo(4754), []byte{0, 0, 8, 0}, ip4), virtio.TunnelGREUDP, in4},
		"GRE with a key in UDP":  {outer6(17, udpTo(4754), []byte{0x20, 0, 0x86, 0xdd}, key, ip6), virtio.TunnelGREUDP, in6},
		"VXLAN":                  {outer4(17, ports, vxlan, in4), virtio.TunnelVXLAN, in4},
		"VXLAN over IPv6":        {outer6(17, ports, vxlan, in6), virtio.TunnelVXLAN, in6},
		"VXLAN of ARP":           {outer4(17, ports, vxlan, frameTo(everyone, -1)), virtio.TunnelVXLAN, frameTo(everyone, -1)},
		"VXLAN-GPE of IPv4":      {outer4(17, udpTo(4790), []byte{0xc, 0, 0, 1, 0, 0, 5, 0}, ip4), virtio.TunnelVXLANGPE, in4},
		"VXLAN-GPE of IPv6":      {outer4(17, udpTo(4790), []byte{0xc, 0, 0, 2, 0, 0, 5, 0}, ip6), virtio.TunnelVXLANGPE, in6},
		"VXLAN-GPE of Ethernet":  {outer4(17, udpTo(4790), []byte{0xc, 0, 0, 3, 0, 0, 5, 0}, in4), virtio.TunnelVXLANGPE, in4},
		"Geneve of Ethernet":     {outer4(17, udpTo(6081), []byte{0, 0, 0x65, 0x58, 0, 0, 5, 0}, in4), virtio.TunnelGeneve, in4},
		"Geneve with options":    {outer6(17, udpTo(6081), []byte{2, 0, 0x86, 0xdd, 0, 0, 5, 0}, make([]byte, 8), ip6), virtio.TunnelGeneve, in6},
		"IPv4 in IPv4":           {outer4(4, ip4), virtio.TunnelIPIP, in4},
		"a tunnel in a tunnel":   {outer4(17, ports, vxlan, outer4(4, ip4)), virtio.TunnelVXLAN, outer4(4, ip4)},
		"cut off behind GRE":     {outer4(47, []byte{0, 0, 8, 0}), virtio.TunnelGRE2784, nil},
		"cut off in the options": {outer4(17, udpTo(6081), []byte{63, 0, 8, 0, 0, 0, 5, 0}, ip4), virtio.TunnelGeneve, nil},

		"no tunnel":                   {in4, 0, in4},
		"GRE cut off":                 {outer4(47, []byte{0x20, 0, 8, 0, 0, 0}), 0, nil},
		"GRE of version 1":            {outer4(47, []byte{0x20, 1, 0x88, 0x0b}, key, ip4), 0, nil},
		"GRE with routing":            {outer4(47, []byte{0x40, 0, 8, 0}, sum, ip4), 0, nil},
		"VXLAN without a VNI":         {outer4(17, ports, make([]byte, 8), in4), 0, nil},
		"VXLAN cut off":               {outer4(17, ports, vxlan[:7]), 0, nil},
		"VXLAN-GPE without a type":    {outer4(17, udpTo(4790), vxlan, in4), 0, nil},
		"Geneve of version 1":         {outer4(17, udpTo(6081), []byte{0x40, 0, 8, 0, 0, 0, 5, 0}, ip4), 0, nil},
		"IPv4 in IPv6":                {outer6(4, ip4), 0, nil},
		"UDP cut off":                 {outer4(17, ports[:6]), 0, nil},
		"VXLAN from and not to 4789":  {outer4(17, []byte{0x12, 0xb5, 0xc0, 0, 0, 0, 0, 0}, vxlan, in4), 0, nil},
		"GRE in UDP, another version": {outer4(17, udpTo(4754), []byte{0, 7, 8, 0}, ip4), 0, nil},
	}
}

// The hash of a packet in a tunnel is that of the packet inside, with every one of the
// encapsulations that its headers are of, and otherwise that of the outer header. One level
// counts. 0 and a reset end it.
func TestInnerHash(t *testing.T) {
	byFormat(t, allCtrl.Without(virtio.NetCtrlVLAN), func(t *testing.T, f virtio.Features) {
		r := hashRig(t, f)
		r.do(virtio.CtrlMQ, virtio.CtrlMQHashConfig, hashConfig(virtio.HashAll, verificationKey)...)
		type result struct {
			value  uint32
			report virtio.HashReport
		}
		of := func(frame []byte) result {
			t.Helper()
			if frame == nil {
				return result{}
			}
			value, report := r.reported(frame)
			return result{value, report}
		}
		enable := func(types virtio.TunnelTypes) {
			t.Helper()
			r.do(virtio.CtrlHashTunnel, virtio.CtrlHashTunnelSet, le32(uint32(types))...)
		}
		for name, c := range tunnels() {
			outside, inside := of(c.frame), of(c.inner)
			for i := range 9 {
				types := virtio.TunnelTypes(1) << i
				enable(types)
				want := outside
				if c.types&types != 0 {
					want = inside
				}
				if got := of(c.frame); got != want {
					t.Errorf("%s with %#x: %#x, want %#x (%#x outside)", name, types, got, want, outside)
				}
			}
			enable(virtio.TunnelAll &^ c.types)
			if got := of(c.frame); got != outside {
				t.Errorf("%s with the others: %#x, want %#x", name, got, outside)
			}
			enable(0)
			if got := of(c.frame); got != outside {
				t.Errorf("%s switched off: %#x, want %#x", name, got, outside)
			}
		}
		r.clean()
		in := tunnels()["VXLAN"].frame
		outside := of(in)
		enable(virtio.TunnelAll)
		r.start(r.f)
		r.do(virtio.CtrlRx, virtio.CtrlRxPromisc, 1)
		r.do(virtio.CtrlMQ, virtio.CtrlMQHashConfig, hashConfig(virtio.HashAll, verificationKey)...)
		if got := of(in); got != outside {
			t.Errorf("after a reset: %#x, want %#x", got, outside)
		}
		r.clean()
	})
}

// RSS takes a packet in a tunnel to the queue of the flow inside, with HASH_REPORT and without.
func TestInnerHashSteers(t *testing.T) {
	vxlan := func(flow int) []byte {
		return outer4(17, udpTo(4789), []byte{8, 0, 0, 0, 0, 0, 5, 0}, flowFrame(flow).frame())
	}
	r := newCtrlRig(t, vdev.Config{Pairs: 2}, split.Or(allCtrl).Without(virtio.NetHashReport))
	r.do(virtio.CtrlRx, virtio.CtrlRxPromisc, 1)
	r.do(virtio.CtrlMQ, virtio.CtrlMQRSSConfig, rssConfig(virtio.HashAll, 0, []int{0, 1}, 1, verificationKey)...)
	var used [2][2]int
	for enabled := range 2 {
		r.do(virtio.CtrlHashTunnel, virtio.CtrlHashTunnelSet, le32(uint32(virtio.TunnelVXLAN)*uint32(enabled))...)
		for flow := range 64 {
			pair := r.pairOf(vxlan(flow))
			used[enabled][pair]++
			if enabled == 1 && pair != r.pairOf(flowFrame(flow).frame()) {
				t.Errorf("flow %d in a tunnel is on pair %d", flow, pair)
			}
		}
	}
	if used[0][0]*used[0][1] != 0 || used[1][0] < 16 || used[1][1] < 16 {
		t.Errorf("flows by pair %v, and by the inner header %v", used[0], used[1])
	}
	r.clean()
}

// net/hash-tunnel/2: what the device does not have is refused, and nothing changes.
func TestTunnelTypesRefused(t *testing.T) {
	f := split.Or(allCtrl).Without(virtio.NetCtrlVLAN)
	r := newCtrlRig(t, vdev.Config{TunnelTypes: virtio.TunnelIPIP | virtio.TunnelGeneve}, f)
	if types := r.d.ReadConfig(virtio.NetConfigTunnelTypes, 4); types != uint32(virtio.TunnelIPIP|virtio.TunnelGeneve) {
		t.Errorf("supported_tunnel_types is %#x", types)
	}
	r.clean()
	r.do(virtio.CtrlRx, virtio.CtrlRxPromisc, 1)
	r.do(virtio.CtrlMQ, virtio.CtrlMQHashConfig, hashConfig(virtio.HashAll, verificationKey)...)
	in := tunnels()["IPv4 in IPv4"]
	r.do(virtio.CtrlHashTunnel, virtio.CtrlHashTunnelSet, le32(uint32(virtio.TunnelIPIP))...)
	want, _ := r.reported(in.frame)
	for _, types := range []uint32{uint32(virtio.TunnelVXLAN), uint32(virtio.TunnelGeneve | virtio.TunnelGRE2784), 1 << 9, 1 << 31} {
		if ack := r.command(r.ctrl, virtio.CtrlHashTunnel, virtio.CtrlHashTunnelSet, le32(types)...); ack != virtio.CtrlErr {
			t.Errorf("%#x: answer %d", types, ack)
		}
		r.wantRules("net/hash-tunnel/2")
		r.d.ClearViolations()
	}
	if got, _ := r.reported(in.frame); got != want {
		t.Errorf("the hash is %#x, want %#x", got, want)
	}
}
