package main

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// built returns a frame of layers, with lengths and checksums.
func built(t *testing.T, list ...gopacket.SerializableLayer) []byte {
	t.Helper()
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, list...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func mac(t *testing.T, text string) net.HardwareAddr {
	t.Helper()
	a, err := net.ParseMAC(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// transport returns a frame of TCP or UDP over IPv4, or IPv6 if six is set.
func transport(t *testing.T, tcp, six bool, payload int) []byte {
	t.Helper()
	eth := &layers.Ethernet{SrcMAC: mac(t, "02:00:00:00:01:01"), DstMAC: mac(t, leftMAC), EthernetType: layers.EthernetTypeIPv4}
	proto := layers.IPProtocolUDP
	if tcp {
		proto = layers.IPProtocolTCP
	}
	v4 := &layers.IPv4{Version: 4, IHL: 5, TTL: 9, Protocol: proto, SrcIP: net.IP{192, 0, 2, 1}, DstIP: net.IP{198, 51, 100, 2}}
	v6 := &layers.IPv6{Version: 6, HopLimit: 9, NextHeader: proto, SrcIP: net.ParseIP("2001:db8::1"), DstIP: net.ParseIP("2001:db8::2")}
	var ip gopacket.SerializableLayer = v4
	var network gopacket.NetworkLayer = v4
	if six {
		ip, network, eth.EthernetType = v6, v6, layers.EthernetTypeIPv6
	}
	l4u := &layers.UDP{SrcPort: 1111, DstPort: 2222}
	l4t := &layers.TCP{SrcPort: 1111, DstPort: 2222, Seq: 7, ACK: true, Window: 100}
	_, _ = l4u.SetNetworkLayerForChecksum(network), l4t.SetNetworkLayerForChecksum(network)
	var l4 gopacket.SerializableLayer = l4u
	if tcp {
		l4 = l4t
	}
	return built(t, eth, ip, l4, gopacket.Payload(bytes.Repeat([]byte{0x5a}, payload)))
}

// one sends frames by one port of testpmd and returns as many that come back by the same one.
func through(t *testing.T, p *plan, frames ...[]byte) [][]byte {
	t.Helper()
	left := newStation(t, "emu:cable=l", p.cables)
	r := start(t, p)
	for _, f := range frames {
		left.send(t, f)
	}
	got := left.receive(t, len(frames))
	r.stop(t)
	left.receiveNone(t)
	return got
}

// TestCsum: wrong checksums are made right, in software and left to the queue, those that are
// right stay, UDP without one stays without, and long TCP packets are cut.
func TestCsum(t *testing.T) {
	for _, offload := range []bool{false, true} {
		p := newTestPlan(t, "csum", "emu:cable=l,mac="+leftMAC)
		p.csum = map[int]checksums{0: {tcp: offload, udp: offload}}
		var sent, want [][]byte
		for _, tcp := range []bool{false, true} {
			for _, six := range []bool{false, true} {
				right := transport(t, tcp, six, 100)
				wrong := bytes.Clone(right)
				wrong[len(wrong)-1] ^= 0xff // the payload changed, and the checksum did not
				if !six {
					wrong[24] ^= 0x10 // ... nor that of IPv4, which is wrong as well
				}
				sent = append(sent, right, wrong)
				want = append(want, right, nil)
			}
		}
		none := transport(t, false, false, 10)
		none[40], none[41] = 0, 0
		sent, want = append(sent, none, frametest.Varied(3)), append(want, none, frametest.Varied(3))
		for i, f := range through(t, p, sent...) {
			if want[i] != nil {
				if err := diff(f[12:], want[i][12:]); err != nil {
					t.Errorf("offload %t, frame %d: %v", offload, i, err)
				}
				continue
			}
			checkSums(t, f)
		}
	}
}

// checkSums compares the checksums of a frame with those that another implementation makes.
func checkSums(t *testing.T, f []byte) {
	t.Helper()
	p := gopacket.NewPacket(f, layers.LayerTypeEthernet, gopacket.Default)
	var list []gopacket.SerializableLayer
	for _, l := range p.Layers() {
		if s, ok := l.(gopacket.SerializableLayer); ok {
			list = append(list, s)
		}
		if c, ok := l.(interface {
			SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
		}); ok {
			_ = c.SetNetworkLayerForChecksum(p.NetworkLayer())
		}
	}
	if err := diff(f, built(t, list...)); err != nil {
		t.Error(err)
	}
}

// TestCsumSegments: with tso set, a long TCP packet leaves in segments of that size.
func TestCsumSegments(t *testing.T) {
	p := newTestPlan(t, "csum", "emu:cable=l,mac="+leftMAC)
	p.csum = map[int]checksums{0: {segment: 400}}
	left := newStation(t, "emu:cable=l", p.cables)
	r := start(t, p)
	left.send(t, transport(t, true, false, 1000))
	for i, f := range left.receive(t, 3) {
		if want := 54 + []int{400, 400, 200}[i]; len(f) != want {
			t.Errorf("segment %d has %d bytes, want %d", i, len(f), want)
		}
		checkSums(t, f)
	}
	r.stop(t)
}

// TestFiveTupleSwap: addresses and ports are exchanged, and checksums are still right.
func TestFiveTupleSwap(t *testing.T) {
	for _, six := range []bool{false, true} {
		p := newTestPlan(t, "5tswap", "emu:cable=l,mac="+leftMAC)
		sent := transport(t, true, six, 50)
		f := through(t, p, sent, frametest.Varied(9))[0]
		checkSums(t, f)
		was := gopacket.NewPacket(sent, layers.LayerTypeEthernet, gopacket.Default)
		is := gopacket.NewPacket(f, layers.LayerTypeEthernet, gopacket.Default)
		for name, flows := range map[string][2]gopacket.Flow{
			"Ethernet": {was.LinkLayer().LinkFlow(), is.LinkLayer().LinkFlow()},
			"IP":       {was.NetworkLayer().NetworkFlow(), is.NetworkLayer().NetworkFlow()},
			"TCP":      {was.TransportLayer().TransportFlow(), is.TransportLayer().TransportFlow()},
		} {
			if flows[0].Reverse() != flows[1] {
				t.Errorf("%s: %v became %v", name, flows[0], flows[1])
			}
		}
	}
}

// TestICMPEcho: requests of ARP and echo requests are answered by the port that they came by, and
// nothing else is.
func TestICMPEcho(t *testing.T) {
	p := newTestPlan(t, "icmpecho", "emu:cable=l,mac="+leftMAC, "emu:null")
	asker := mac(t, "02:00:00:00:01:01")
	arp := built(t, &layers.Ethernet{SrcMAC: asker, DstMAC: layers.EthernetBroadcast, EthernetType: layers.EthernetTypeARP},
		&layers.ARP{AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4,
			Operation: layers.ARPRequest, SourceHwAddress: asker, SourceProtAddress: []byte{192, 0, 2, 1},
			DstHwAddress: make([]byte, 6), DstProtAddress: []byte{192, 0, 2, 9}})
	echo := built(t, &layers.Ethernet{SrcMAC: asker, DstMAC: mac(t, leftMAC), EthernetType: layers.EthernetTypeIPv4},
		&layers.IPv4{Version: 4, IHL: 5, TTL: 9, Protocol: layers.IPProtocolICMPv4, SrcIP: net.IP{192, 0, 2, 1}, DstIP: net.IP{192, 0, 2, 9}},
		&layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(layers.ICMPv4TypeEchoRequest, 0), Id: 3, Seq: 4}, gopacket.Payload("are you there"))
	left := newStation(t, "emu:cable=l", p.cables)
	r := start(t, p)
	for _, f := range [][]byte{transport(t, true, false, 10), arp, frametest.Varied(1), echo} {
		left.send(t, f)
	}
	got := left.receive(t, 2)
	r.stop(t)
	left.receiveNone(t)
	answer, ok := gopacket.NewPacket(got[0], layers.LayerTypeEthernet, gopacket.Default).Layer(layers.LayerTypeARP).(*layers.ARP)
	if !ok || answer.Operation != layers.ARPReply || !bytes.Equal(answer.SourceHwAddress, mac(t, leftMAC)) ||
		!bytes.Equal(answer.SourceProtAddress, []byte{192, 0, 2, 9}) || !bytes.Equal(answer.DstHwAddress, asker) {
		t.Errorf("the answer of ARP is %+v", answer)
	}
	checkSums(t, got[1])
	reply := gopacket.NewPacket(got[1], layers.LayerTypeEthernet, gopacket.Default)
	icmp, ok := reply.Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4)
	if !ok || icmp.TypeCode.Type() != layers.ICMPv4TypeEchoReply || icmp.Id != 3 || icmp.Seq != 4 ||
		reply.NetworkLayer().NetworkFlow().String() != "192.0.2.9->192.0.2.1" {
		t.Errorf("the answer of ICMP is %v", reply)
	}
}

// TestNoisy: packets are held back, leave in order when there are more than may wait, after a
// time, and at the end.
func TestNoisy(t *testing.T) {
	for _, flush := range []time.Duration{0, time.Millisecond} {
		p := newTestPlan(t, "noisy", "emu:cable=l,mac="+leftMAC)
		p.noisy = noisyConfig{buffer: 20, flush: flush, megabytes: 1, writes: 2, reads: 2, readsThenWrites: 1}
		p.options.Burst = 8
		left := newStation(t, "emu:cable=l", p.cables)
		r := start(t, p)
		for i := range window {
			left.send(t, frametest.Varied(i))
		}
		now := window
		if flush == 0 {
			now -= 20 // that wait
		}
		frames := left.receive(t, now)
		r.stop(t)
		frames = append(frames, left.receive(t, window-now)...)
		for i, f := range frames {
			if err := diff(f, frametest.Varied(i)); err != nil {
				t.Fatalf("flush %v, frame %d: %v", flush, i, err)
			}
		}
		left.receiveNone(t)
	}
}
