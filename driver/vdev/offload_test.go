package vdev_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// flow describes a packet of these tests, which the packet library builds.
type flow struct {
	v6, udp bool
	vlan    bool
	options bool // of IPv4 and TCP, or an extension header
	cwr     bool
	payload int // 46 or more: the library pads shorter frames
}

// build returns the frame with complete checksums and the length of its headers. The
// lengths of a packet that is to be segmented are those of the whole.
func (f flow) build(tb testing.TB) (frame []byte, hdrLen int) {
	tb.Helper()
	eth := &layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}}
	list := []gopacket.SerializableLayer{eth}
	l3 := layers.EthernetTypeIPv4
	if f.v6 {
		l3 = layers.EthernetTypeIPv6
	}
	if eth.EthernetType = l3; f.vlan {
		eth.EthernetType = layers.EthernetTypeDot1Q
		list = append(list, &layers.Dot1Q{VLANIdentifier: 5, Type: l3})
	}
	proto := layers.IPProtocolTCP
	if f.udp {
		proto = layers.IPProtocolUDP
	}
	var ip gopacket.NetworkLayer
	if f.v6 {
		h := &layers.IPv6{Version: 6, NextHeader: proto, HopLimit: 9, SrcIP: net.ParseIP("2001:db8::1"), DstIP: net.ParseIP("2001:db8::2")}
		list, ip = append(list, h), h
		if f.options {
			h.NextHeader = layers.IPProtocolIPv6Destination
			ext := &layers.IPv6Destination{Options: []*layers.IPv6DestinationOption{{OptionType: 1, OptionData: make([]byte, 4)}}}
			ext.NextHeader = proto
			list = append(list, ext)
		}
	} else {
		h := &layers.IPv4{Version: 4, Id: 0xfffe, TTL: 9, Protocol: proto, SrcIP: net.IP{192, 0, 2, 1}, DstIP: net.IP{192, 0, 2, 2}}
		if f.options {
			h.Options = []layers.IPv4Option{{OptionType: 1}, {OptionType: 1}, {OptionType: 1}, {OptionType: 0}}
		}
		list, ip = append(list, h), h
	}
	if f.udp {
		h := &layers.UDP{SrcPort: 1234, DstPort: 5678}
		_ = h.SetNetworkLayerForChecksum(ip)
		list = append(list, h)
	} else {
		h := &layers.TCP{SrcPort: 1234, DstPort: 5678, Seq: 0xfffffff0, Ack: 77, ACK: true, PSH: true, FIN: true, CWR: f.cwr, Window: 500}
		if f.options {
			h.Options = []layers.TCPOption{{OptionType: layers.TCPOptionKindNop}, {OptionType: layers.TCPOptionKindNop},
				{OptionType: layers.TCPOptionKindTimestamps, OptionLength: 10, OptionData: make([]byte, 8)}}
		}
		_ = h.SetNetworkLayerForChecksum(ip)
		list = append(list, h)
	}
	payload := make([]byte, f.payload)
	random := rand.NewChaCha8([32]byte{byte(f.payload)})
	_, _ = random.Read(payload)
	b := gopacket.NewSerializeBuffer()
	list = append(list, gopacket.Payload(payload))
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, list...); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes(), len(b.Bytes()) - f.payload
}

// transport is where TCP or UDP begins.
func (f flow) transport(hdrLen int) int {
	switch {
	case f.udp:
		return hdrLen - 8
	case f.options:
		return hdrLen - 32
	}
	return hdrLen - 20
}

func (f flow) gso() uint8 {
	switch {
	case f.udp:
		return virtio.GSOUDPL4
	case f.v6 && f.cwr:
		return virtio.GSOTCPv6 | virtio.GSOECN
	case f.v6:
		return virtio.GSOTCPv6
	case f.cwr:
		return virtio.GSOTCPv4 | virtio.GSOECN
	}
	return virtio.GSOTCPv4
}

// offload returns header and frame as a driver that leaves checksum and segmentation to
// the device has them; segments of size 0 are none.
func (f flow) offload(tb testing.TB, size int) []byte {
	tb.Helper()
	frame, hdrLen := f.build(tb)
	header := make([]byte, virtio.NetHeaderLen)
	l4 := f.transport(hdrLen)
	at := 16
	if f.udp {
		at = 6
	}
	le := binary.LittleEndian
	header[virtio.NetHeaderFlags] = virtio.NetHeaderNeedsCsum
	le.PutUint16(header[virtio.NetHeaderCsumStart:], uint16(l4))
	le.PutUint16(header[virtio.NetHeaderCsumOffset:], uint16(at))
	if size != 0 {
		header[virtio.NetHeaderGSOType] = f.gso()
		le.PutUint16(header[virtio.NetHeaderGSOSize:], uint16(size))
		le.PutUint16(header[virtio.NetHeaderHdrLen:], uint16(hdrLen))
	}
	// The sum of the pseudo-header: what is missing in the checksum is what is summed up.
	binary.BigEndian.PutUint16(frame[l4+at:], 0)
	binary.BigEndian.PutUint16(frame[l4+at:], slowSum(pseudo(frame, l4, f.udp)))
	return append(header, frame...)
}

// pseudo returns the pseudo-header of a packet whose transport header is at l4.
func pseudo(frame []byte, l4 int, udp bool) []byte {
	proto := byte(6)
	if udp {
		proto = 17
	}
	l3 := 14
	if frame[12] == 0x81 {
		l3 = 18
	}
	n := uint32(len(frame) - l4)
	tail := append(binary.BigEndian.AppendUint32(nil, n), 0, 0, 0, proto)
	if frame[l3]>>4 == 6 {
		return append(bytes.Clone(frame[l3+8:l3+40]), tail...)
	}
	return append(bytes.Clone(frame[l3+12:l3+20]), tail...)
}

// slowSum is the ones' complement sum, word by word.
func slowSum(b []byte) uint16 {
	sum := 0
	for i, v := range b {
		sum += int(v) << (8 * (1 - i%2))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

// transmitFeatures are all transmit offloads.
var transmitFeatures = virtio.FeatureSet(virtio.NetCSUM, virtio.NetHostTSO4, virtio.NetHostTSO6, virtio.NetHostECN,
	virtio.NetHostUSO, virtio.NetGuestHdrLen)

// judged is a header, the rule that it breaks, and whether the frame passes all the same.
type judged struct {
	name   string
	rule   string
	passes bool
	refuse virtio.Features
	flow   flow
	size   int
	change func(header, frame []byte)
}

func put16(at int, v uint16) func(header, frame []byte) {
	return func(header, _ []byte) { binary.LittleEndian.PutUint16(header[at:], v) }
}

var (
	tcp = flow{payload: 3000}
	one = flow{payload: 1000}
)

var judgedHeaders = []judged{
	{"checksum", "", true, virtio.Features{}, one, 0, nil},
	{"TSO4", "", true, virtio.Features{}, tcp, 1000, nil},
	{"TSO6", "", true, virtio.Features{}, flow{v6: true, payload: 3000}, 1000, nil},
	{"USO", "", true, virtio.Features{}, flow{udp: true, payload: 3000}, 1000, nil},
	{"ECN", "", true, virtio.Features{}, flow{cwr: true, payload: 3000}, 1000, nil},
	{"VLAN, options", "", true, virtio.Features{}, flow{vlan: true, options: true, payload: 3000}, 1000, nil},
	{"extension header", "", true, virtio.Features{}, flow{v6: true, options: true, payload: 3000}, 1000, nil},
	{"a larger hdr_len without GUEST_HDRLEN", "", true, virtio.FeatureSet(virtio.NetGuestHdrLen), tcp, 1000, put16(virtio.NetHeaderHdrLen, 500)},
	{"unused fields", "", true, virtio.Features{}, one, 0, put16(virtio.NetHeaderGSOSize, 500)},
	{"num_buffers", "net/tx/2", true, virtio.Features{}, one, 0, put16(virtio.NetHeaderNumBuffers, 1)},
	{"TCPV4 without HOST_TSO4", "net/tx/5", false, virtio.FeatureSet(virtio.NetHostTSO4), tcp, 1000, nil},
	{"TCPV6 without HOST_TSO6", "net/tx/6", false, virtio.FeatureSet(virtio.NetHostTSO6), flow{v6: true, payload: 3000}, 1000, nil},
	{"UDP", "net/tx/7", false, virtio.Features{}, flow{udp: true, payload: 3000}, 1000, func(h, _ []byte) { h[1] = virtio.GSOUDP }},
	{"UDP_L4 without HOST_USO", "net/tx/8", false, virtio.FeatureSet(virtio.NetHostUSO), flow{udp: true, payload: 3000}, 1000, nil},
	{"ECN without HOST_ECN", "net/tx/9", true, virtio.FeatureSet(virtio.NetHostECN), flow{cwr: true, payload: 3000}, 1000, nil},
	{"CWR without HOST_ECN", "net/tx/9", true, virtio.FeatureSet(virtio.NetHostECN), flow{cwr: true, payload: 3000}, 1000,
		func(h, _ []byte) { h[1] = virtio.GSOTCPv4 }},
	{"CWR without ECN", "net/tx/10", true, virtio.Features{}, flow{cwr: true, payload: 3000}, 1000, func(h, _ []byte) { h[1] = virtio.GSOTCPv4 }},
	{"IPv4 checksum", "net/tx/11", true, virtio.Features{}, one, 0, func(_, f []byte) { f[24]++ }},
	{"pseudo-header", "net/tx/12", true, virtio.Features{}, one, 0, func(_, f []byte) { f[50]++ }},
	{"pseudo-header of a segment", "net/tx/12", true, virtio.Features{}, tcp, 1000, func(_, f []byte) {
		binary.BigEndian.PutUint16(f[50:], slowSum(pseudo(f[:14+40+1000], 34, false)))
	}},
	{"csum_start behind the packet", "net/tx/13", false, virtio.Features{}, one, 0, put16(virtio.NetHeaderCsumStart, 1054)},
	{"csum_start far behind the packet", "net/tx/13", false, virtio.Features{}, one, 0, put16(virtio.NetHeaderCsumStart, 0xffff)},
	{"csum_offset behind the packet", "net/tx/13", false, virtio.Features{}, one, 0, put16(virtio.NetHeaderCsumOffset, 1019)},
	{"csum_offset far behind the packet", "net/tx/13", false, virtio.Features{}, tcp, 1000, put16(virtio.NetHeaderCsumOffset, 0xffff)},
	{"csum_start in the Ethernet header", "net/tx/13", false, virtio.Features{}, one, 0, put16(virtio.NetHeaderCsumStart, 0)},
	{"csum_start of something else", "net/tx/13", true, virtio.Features{}, one, 0, put16(virtio.NetHeaderCsumStart, 36)},
	{"csum_offset of something else", "net/tx/13", true, virtio.Features{}, one, 0, put16(virtio.NetHeaderCsumOffset, 6)},
	{"no HOST_*", "net/tx/14", false, virtio.FeatureSet(virtio.NetHostTSO4, virtio.NetHostTSO6, virtio.NetHostECN, virtio.NetHostUSO), tcp, 1000, nil},
	{"no NEEDS_CSUM", "net/tx/15", false, virtio.Features{}, tcp, 1000, func(h, _ []byte) { h[0] = 0 }},
	{"gso_size 0", "net/tx/16", false, virtio.Features{}, tcp, 1000, put16(virtio.NetHeaderGSOSize, 0)},
	{"gso_size above the MTU", "net/tx/16", true, virtio.Features{}, tcp, 1461, nil},
	{"hdr_len without payload", "net/tx/17", true, virtio.Features{}, tcp, 1000, put16(virtio.NetHeaderHdrLen, 34)},
	{"hdr_len too large", "net/tx/17", true, virtio.Features{}, tcp, 1000, put16(virtio.NetHeaderHdrLen, 0xffff)},
	{"hdr_len too small", "net/tx/18", true, virtio.FeatureSet(virtio.NetGuestHdrLen), tcp, 1000, put16(virtio.NetHeaderHdrLen, 34)},
	{"DATA_VALID", "net/tx/20", true, virtio.Features{}, one, 0, func(h, _ []byte) { h[0] |= virtio.NetHeaderDataValid }},
	{"RSC_INFO", "net/tx/20", true, virtio.Features{}, one, 0, func(h, _ []byte) { h[0] = virtio.NetHeaderRSCInfo }},
	{"unknown flag", "x/net/tx-flags", true, virtio.Features{}, one, 0, func(h, _ []byte) { h[0] |= 0x80 }},
	{"unknown gso_type", "x/net/tx-gso", false, virtio.Features{}, tcp, 1000, func(h, _ []byte) { h[1] = 2 }},
	{"tunnel", "x/net/tx-gso", false, virtio.Features{}, tcp, 1000, func(h, _ []byte) { h[1] |= 0x20 }},
	{"ECN alone", "x/net/tx-gso", false, virtio.Features{}, tcp, 1000, func(h, _ []byte) { h[1] = virtio.GSOECN }},
	{"ECN of UDP", "x/net/tx-gso", false, virtio.Features{}, flow{udp: true, payload: 3000}, 1000, func(h, _ []byte) { h[1] |= virtio.GSOECN }},
	{"gso_type of something else", "x/net/tx-gso", false, virtio.Features{}, tcp, 1000, func(h, _ []byte) { h[1] = virtio.GSOTCPv6 }},
	{"a fragment", "x/net/tx-gso", false, virtio.Features{}, tcp, 1000, func(_, f []byte) { f[20] = 0x20 }},
	{"MTU", "net/config/9", false, virtio.Features{}, tcp, 0, nil},
}

// A header that breaks a rule of packet transmission is recorded under it and no other,
// and passed on if what it asks for can be done.
func TestJudgedHeaders(t *testing.T) {
	for _, j := range judgedHeaders {
		for ring, f := range map[string]virtio.Features{"split": split, "packed": packed} {
			t.Run(ring+"/"+j.name, func(t *testing.T) { j.run(t, f) })
		}
	}
}

func (j judged) run(t *testing.T, f virtio.Features) {
	sink := wire.Null()
	g := newGuest(t, vdev.Config{Backend: sink, Offer: vdev.Implemented().Minus(j.refuse), Translated: true}, 1<<20)
	_, tx := g.up(f.Or(transmitFeatures), 16)
	p := j.flow.offload(t, j.size)
	if j.change != nil {
		j.change(p[:virtio.NetHeaderLen], p[virtio.NetHeaderLen:])
	}
	addr, b := g.alloc(len(p), 16)
	copy(b, p)
	tx.add(false, piece{addr, len(p), false})
	tx.publish()
	g.d.Poll()
	if j.rule == "" {
		g.clean()
	} else {
		g.wantRules(j.rule)
	}
	s, want := g.d.Stats(), uint64(0)
	if j.passes {
		want = 1
	}
	if passed := sink.Frames(); s.TxFrames != want || s.TxErrors != 1-want || passed != max(want, s.TxSegments) {
		t.Errorf("%d frames passed: %+v", passed, s)
	}
	if !bytes.Equal(b, p) {
		t.Error("the device changed what the driver transmitted")
	}
	if !g.d.Running() {
		t.Error("the device stopped")
	}
}
