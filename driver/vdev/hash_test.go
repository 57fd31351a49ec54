package vdev_test

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// verificationKey and the packets of TestToeplitz are the ones that are published for
// verifying RSS implementations.
var verificationKey, _ = hex.DecodeString("6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa")

// ipPacket is a frame with an IP packet, whose payload is that of a protocol. Extension
// headers of IPv6 come before it, the first of which is of type next.
type ipPacket struct {
	src, dst   string
	sport      uint16
	dport      uint16
	proto      byte
	tags       int
	fragment   uint16
	extensions []byte
	next       byte
}

func (p ipPacket) frame() []byte {
	f := make([]byte, 12)
	for range p.tags {
		f = append(f, 0x81, 0, 0, 5)
	}
	src, dst := netip.MustParseAddr(p.src).AsSlice(), netip.MustParseAddr(p.dst).AsSlice()
	ports := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, p.sport), p.dport)
	if len(src) == 4 {
		f = append(f, 8, 0, 0x46, 0, 0, 0, 0, 0, byte(p.fragment>>8), byte(p.fragment), 9, p.proto, 0, 0)
		f = append(append(append(f, src...), dst...), 1, 1, 1, 0) // with options
	} else {
		next := p.proto
		if p.extensions != nil {
			next = p.next
		}
		f = append(f, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 0, next, 9)
		f = append(append(append(f, src...), dst...), p.extensions...)
	}
	return append(append(f, ports...), make([]byte, 60)...)
}

// slowToeplitz is the hash by its definition, bit by bit.
func slowToeplitz(key, data []byte) (h uint32) {
	for i := range 8 * len(data) {
		if data[i/8]>>(7-i%8)&1 == 0 {
			continue
		}
		for j := range 32 {
			h ^= uint32(key[(i+j)/8]) >> (7 - (i+j)%8) & 1 << (31 - j)
		}
	}
	return h
}

// reported sends a frame and returns the hash fields of its header.
func (r *ctrlRig) reported(frame []byte) (uint32, virtio.HashReport) {
	r.t.Helper()
	r.inject(frame)
	packets := r.ports[0].received()
	if len(packets) != 1 || len(packets[0]) != virtio.NetHeaderHashLen+len(frame) {
		r.t.Fatalf("%d packets arrived", len(packets))
	}
	h := packets[0]
	if h[18] != 0 || h[19] != 0 {
		r.t.Errorf("padding % x", h[18:20])
	}
	return binary.LittleEndian.Uint32(h[virtio.NetHeaderHashValue:]), virtio.HashReport(binary.LittleEndian.Uint16(h[virtio.NetHeaderHashReport:]))
}

// hashRig is a rig whose driver is told the hash of each packet.
func hashRig(t *testing.T, f virtio.Features) *ctrlRig {
	r := newCtrlRig(t, vdev.Config{}, f)
	r.do(virtio.CtrlRx, virtio.CtrlRxPromisc, 1)
	return r
}

// The hashes are those of the published packets.
func TestToeplitz(t *testing.T) {
	v4 := []ipPacket{
		{src: "66.9.149.187", dst: "161.142.100.80", sport: 2794, dport: 1766},
		{src: "199.92.111.2", dst: "65.69.140.83", sport: 14230, dport: 4739},
		{src: "24.19.198.95", dst: "12.22.207.184", sport: 12898, dport: 38024},
		{src: "38.27.205.30", dst: "209.142.163.6", sport: 48228, dport: 2217},
		{src: "153.39.163.191", dst: "202.188.127.2", sport: 44251, dport: 1303},
	}
	v6 := []ipPacket{
		{src: "3ffe:2501:200:1fff::7", dst: "3ffe:2501:200:3::1", sport: 2794, dport: 1766},
		{src: "3ffe:501:8::260:97ff:fe40:efab", dst: "ff02::1", sport: 14230, dport: 4739},
		{src: "3ffe:1900:4545:3:200:f8ff:fe21:67cf", dst: "fe80::200:f8ff:fe21:67cf", sport: 44251, dport: 38024},
	}
	addresses4 := []uint32{0x323e8fc2, 0xd718262a, 0xd2d0a5de, 0x82989176, 0x5d1809c5}
	ports4 := []uint32{0x51ccc178, 0xc626b0ea, 0x5c2b394a, 0xafc7327f, 0x10e828a2}
	addresses6 := []uint32{0x2cc18cd5, 0x0f0c461c, 0x4b61e985}
	ports6 := []uint32{0x40207d3d, 0xdde51bbf, 0x02d1feef}
	byFormat(t, allCtrl.Without(virtio.NetCtrlVLAN), func(t *testing.T, f virtio.Features) {
		r := hashRig(t, f)
		check := func(types virtio.HashTypes, p ipPacket, want uint32, report virtio.HashReport) {
			t.Helper()
			r.do(virtio.CtrlMQ, virtio.CtrlMQHashConfig, hashConfig(types, verificationKey)...)
			if got, kind := r.reported(p.frame()); got != want || kind != report {
				t.Errorf("%+v, types %#x: hash %#x of type %d, want %#x of type %d", p, types, got, kind, want, report)
			}
		}
		for i, p := range v4 {
			p.tags = i % 3
			p.proto = 6
			check(virtio.HashIPv4, p, addresses4[i], virtio.HashReportIPv4)
			check(virtio.HashAll, p, ports4[i], virtio.HashReportTCPv4)
			p.proto = 17
			check(virtio.HashAll, p, ports4[i], virtio.HashReportUDPv4)
			check(virtio.HashTCPv4|virtio.HashIPv4, p, addresses4[i], virtio.HashReportIPv4)
			check(virtio.HashTCPv4|virtio.HashUDPv6, p, 0, virtio.HashReportNone)
		}
		for i, p := range v6 {
			p.proto = 6
			check(virtio.HashIPv6, p, addresses6[i], virtio.HashReportIPv6)
			check(virtio.HashAll, p, ports6[i], virtio.HashReportTCPv6)
			p.proto = 17
			check(virtio.HashUDPv6|virtio.HashIPv6, p, ports6[i], virtio.HashReportUDPv6)
		}
		r.clean()
	})
}

// A packet has the first type of the order that the specification gives (5.1.9.4), and what
// is no packet of an enabled type has no hash.
func TestHashTypes(t *testing.T) {
	home := netip.MustParseAddr("2001:db8::77").AsSlice()
	final := netip.MustParseAddr("2001:db8::99").AsSlice()
	src, dst := netip.MustParseAddr("2001:db8::1").AsSlice(), netip.MustParseAddr("2001:db8::2").AsSlice()
	ports := []byte{0x10, 0x01, 0x10, 0x02}
	destination := func(next byte) []byte { return cat([]byte{next, 2, 0, 1, 1, 0, 0xc9, 16}, home) }
	routing := func(next byte) []byte { return cat([]byte{next, 2, 2, 1, 0, 0, 0, 0}, final) }
	hop := func(next byte) []byte { return []byte{next, 0, 1, 4, 0, 0, 0, 0} }
	auth := func(next byte) []byte { return append([]byte{next, 4}, make([]byte, 22)...) }
	v4 := func(proto byte, fragment uint16) ipPacket {
		return ipPacket{src: "10.0.0.1", dst: "10.0.0.2", sport: 0x1001, dport: 0x1002, proto: proto, fragment: fragment}
	}
	v6 := func(proto, next byte, extensions ...[]byte) []byte {
		p := ipPacket{src: "2001:db8::1", dst: "2001:db8::2", sport: 0x1001, dport: 0x1002, proto: proto, next: next}
		p.extensions = cat(extensions...)
		return p.frame()
	}
	const ex = virtio.HashIPv6Ex | virtio.HashTCPv6Ex | virtio.HashUDPv6Ex
	addresses4 := []byte{10, 0, 0, 1, 10, 0, 0, 2}
	short := v4(6, 0).frame()[:14+24+3]
	r := hashRig(t, split.Or(allCtrl.Without(virtio.NetCtrlVLAN)))
	for name, c := range map[string]struct {
		types virtio.HashTypes
		frame []byte
		want  virtio.HashReport
		input []byte
	}{
		"ARP":                     {virtio.HashAll, frameTo(everyone, -1), 0, nil},
		"no types":                {0, v4(6, 0).frame(), 0, nil},
		"ICMP":                    {virtio.HashAll, v4(1, 0).frame(), virtio.HashReportIPv4, addresses4},
		"ICMP, ports only":        {virtio.HashTCPv4 | virtio.HashUDPv4, v4(1, 0).frame(), 0, nil},
		"first fragment":          {virtio.HashAll, v4(17, 0x2000).frame(), virtio.HashReportIPv4, addresses4},
		"last fragment":           {virtio.HashAll, v4(17, 7).frame(), virtio.HashReportIPv4, addresses4},
		"not to be fragmented":    {virtio.HashAll, v4(17, 0x4000).frame(), virtio.HashReportUDPv4, cat(addresses4, ports)},
		"ports cut off":           {virtio.HashAll, short, virtio.HashReportIPv4, addresses4},
		"IPv4 address cut off":    {virtio.HashAll, short[:33], 0, nil},
		"IPv6, IPv4 types":        {7, v6(6, 0), 0, nil},
		"IPv6, types for Ex":      {ex, v6(6, 0), 0, nil},
		"hop by hop":              {virtio.HashAll, v6(6, 0, hop(6)), virtio.HashReportTCPv6Ex, cat(src, dst, ports)},
		"hop by hop, plain types": {virtio.HashAll &^ ex, v6(6, 0, hop(6)), virtio.HashReportTCPv6, cat(src, dst, ports)},
		"addresses before plain":  {virtio.HashAll &^ virtio.HashTCPv6Ex, v6(6, 0, hop(6)), virtio.HashReportIPv6Ex, cat(src, dst)},
		"home address":            {virtio.HashAll, v6(17, 60, destination(17)), virtio.HashReportUDPv6Ex, cat(home, dst, ports)},
		"home address, plain":     {virtio.HashIPv6, v6(17, 60, destination(17)), virtio.HashReportIPv6, cat(src, dst)},
		"routing header":          {virtio.HashAll, v6(6, 0, hop(43), routing(6)), virtio.HashReportTCPv6Ex, cat(src, final, ports)},
		"all of them": {virtio.HashAll, v6(6, 0, hop(60), destination(43), routing(51), auth(6)), virtio.HashReportTCPv6Ex,
			cat(home, final, ports)},
		"fragment header": {virtio.HashAll, v6(6, 44, []byte{6, 0, 0, 1, 0, 0, 0, 0}), virtio.HashReportIPv6Ex, cat(src, dst)},
		"header cut off":  {virtio.HashAll, v6(6, 60, destination(6))[:14+40+4], virtio.HashReportIPv6Ex, cat(src, dst)},
		"a long header":   {virtio.HashAll, v6(6, 0, []byte{6, 255, 1, 4, 0, 0, 0, 0}), virtio.HashReportIPv6Ex, cat(src, dst)},
	} {
		r.do(virtio.CtrlMQ, virtio.CtrlMQHashConfig, hashConfig(c.types, verificationKey)...)
		want := slowToeplitz(verificationKey, c.input)
		if got, kind := r.reported(c.frame); kind != c.want || got != want {
			t.Errorf("%s: hash %#x of type %d, want %#x of type %d", name, got, kind, want, c.want)
		}
	}
	r.clean()
}

// A key that is shorter than needed goes on with zeros, and a longer one is cut off.
func TestHashKeyLength(t *testing.T) {
	r := newCtrlRig(t, vdev.Config{RSSKeySize: 52}, split.Or(allCtrl))
	r.do(virtio.CtrlRx, virtio.CtrlRxPromisc, 1)
	p := ipPacket{src: "2001:db8::1", dst: "2001:db8::2", sport: 1, dport: 2, proto: 6}
	input := p.frame()[22:58]
	for _, n := range []int{0, 5, 16, 39, 40, 52} {
		key := append(verificationKey[:min(n, 40):40], make([]byte, max(n-40, 0))...)
		r.do(virtio.CtrlMQ, virtio.CtrlMQHashConfig, hashConfig(virtio.HashAll, key)...)
		want := slowToeplitz(append(append([]byte(nil), key...), make([]byte, 40)...), input)
		if got, _ := r.reported(p.frame()); got != want {
			t.Errorf("%d bytes: hash %#x, want %#x", n, got, want)
		}
	}
	r.clean()
}

// The hash is in the header however its buffers are cut.
func TestHashInPieces(t *testing.T) {
	byFormat(t, allCtrl.With(virtio.NetMrgRxbuf), func(t *testing.T, f virtio.Features) {
		r := newCtrlRig(t, vdev.Config{}, f)
		r.do(virtio.CtrlRx, virtio.CtrlRxPromisc, 1)
		r.do(virtio.CtrlMQ, virtio.CtrlMQHashConfig, hashConfig(virtio.HashAll, verificationKey)...)
		frame := ipPacket{src: "66.9.149.187", dst: "161.142.100.80", sport: 2794, dport: 1766, proto: 6}.frame()
		for len(r.ports[0].rxBufs) > 0 { // the buffers of the rig
			r.inject(frame)
			id, _, _ := r.ports[0].rx.take()
			delete(r.ports[0].rxBufs, id)
		}
		addr, b := r.alloc(256, 64)
		rx := r.ports[0].rx
		rx.add(false, piece{addr, 10, true}, piece{addr + 10, 13, true})
		rx.add(false, piece{addr + 23, 200, true})
		rx.publish()
		r.inject(frame)
		for range 2 {
			if _, _, ok := rx.take(); !ok {
				t.Fatal("the packet did not arrive")
			}
		}
		if got := binary.LittleEndian.Uint32(b[12:]); got != 0x51ccc178 || b[16] != byte(virtio.HashReportTCPv4) || string(b[20:20+len(frame)]) != string(frame) {
			t.Errorf("hash %#x of type %d", got, b[16])
		}
		r.clean()
	})
}

// With HASH_REPORT a transmitted packet has a header of 20 bytes too.
func TestTransmitWithHashReport(t *testing.T) {
	byFormat(t, allCtrl, func(t *testing.T, f virtio.Features) {
		r := newCtrlRig(t, vdev.Config{}, f)
		frame := frameTo(otherMAC, -1)
		data := append(make([]byte, virtio.NetHeaderHashLen), frame...)
		for _, cuts := range [][]int{{len(data)}, {20, len(data) - 20}, {12, len(data) - 12}, {7, 20, len(data) - 27}} {
			addr, b := r.alloc(len(data), 64)
			copy(b, data)
			var pieces []piece
			for _, n := range cuts {
				pieces = append(pieces, piece{addr, n, false})
				addr += uint64(n)
			}
			r.ports[0].tx.add(false, pieces...)
			r.ports[0].tx.publish()
			r.d.Poll()
			got := make([][]byte, 2)
			if n := r.peer.Receive(0, got); n != 1 || string(got[0]) != string(frame) {
				t.Errorf("cut into %v: %d frames, % x", cuts, n, got[0])
			}
		}
		r.clean()
	})
}

// Frames of any contents have a hash of an enabled type, or none.
func FuzzHash(f *testing.F) {
	seed := ipPacket{src: "2001:db8::1", dst: "2001:db8::2", sport: 1, dport: 2, proto: 6, next: 60,
		extensions: cat([]byte{43, 2, 0, 1, 1, 0, 0xc9, 16}, make([]byte, 16), []byte{6, 2, 2, 1, 0, 0, 0, 0}, make([]byte, 16))}
	f.Add(seed.frame(), uint16(virtio.HashAll))
	f.Add(flowFrame(1).frame(), uint16(virtio.HashTCPv4))
	for _, c := range tunnels() {
		f.Add(c.frame, uint16(virtio.HashAll))
	}
	f.Fuzz(func(t *testing.T, frame []byte, types uint16) {
		if len(frame) > 1500 {
			return
		}
		enabled := virtio.HashTypes(types) & virtio.HashAll
		r := hashRig(t, split.Or(allCtrl))
		r.do(virtio.CtrlHashTunnel, virtio.CtrlHashTunnelSet, le32(uint32(virtio.TunnelAll))...)
		r.do(virtio.CtrlMQ, virtio.CtrlMQHashConfig, hashConfig(enabled, verificationKey)...)
		value, report := r.reported(frame)
		if report != virtio.HashReportNone && enabled>>(report-1)&1 == 0 || report == virtio.HashReportNone && value != 0 {
			t.Errorf("hash %#x of type %d, enabled are %#x", value, report, enabled)
		}
		r.clean()
	})
}
