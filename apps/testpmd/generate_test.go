package main

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// TestTxOnly: every packet is the one that testpmd sends, whatever its length
// and however many segments it is made of.
func TestTxOnly(t *testing.T) {
	for _, segments := range [][]int{{64}, {42}, {1514}, {64, 64}, {42, 1, 1000, 471}} {
		for _, keys := range rings {
			t.Run(fmt.Sprint(segments)+keys, func(t *testing.T) {
				p := newTestPlan(t, "txonly", "emu:cable=l,mac="+leftMAC+keys, "emu:cable=r,mac="+rightMAC+keys)
				p.segments = segments
				left, right := newStation(t, "emu:cable=l", p.cables), newStation(t, "emu:cable=r", p.cables)
				r := start(t, p)
				total := 0
				for _, n := range segments {
					total += n
				}
				for i, f := range left.receive(t, 1000) {
					checkUDP(t, i, f, total, "02:00:00:00:00:00", leftMAC, "198.18.0.1", "198.18.0.2", 9, 9)
				}
				for i, f := range right.receive(t, 1000) {
					checkUDP(t, i, f, total, "02:00:00:00:00:01", rightMAC, "198.18.0.1", "198.18.0.2", 9, 9)
				}
				r.stop(t)
			})
		}
	}
}

// TestFlowGen: packets of 1024 defaultFlows in turn, none left out though the ring is
// full most of the time; what comes is freed.
func TestFlowGen(t *testing.T) {
	for _, keys := range rings {
		p := newTestPlan(t, "flowgen", "emu:cable=l,mac="+leftMAC+keys)
		left := newStation(t, "emu:cable=l", p.cables)
		r := start(t, p)
		for i, f := range left.receive(t, 3*defaultFlows) {
			n := i % defaultFlows
			dst := netip.AddrFrom4([4]byte{10, 253, byte(n >> 8), byte(n)}).String()
			checkUDP(t, i, f, 60, "00:01:02:03:04:01", "00:01:02:03:04:00", "10.254.0.0", dst, 1000, 1001)
			left.send(t, frametest.Varied(i))
		}
		r.stop(t)
	}
}

// checkUDP takes a frame apart with another implementation.
func checkUDP(t *testing.T, i int, data []byte, length int, dst, src, srcIP, dstIP string, srcPort, dstPort layers.UDPPort) {
	t.Helper()
	p := gopacket.NewPacket(data, layers.LayerTypeEthernet, gopacket.NoCopy)
	eth, _ := p.Layer(layers.LayerTypeEthernet).(*layers.Ethernet)
	ip, _ := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
	udp, _ := p.Layer(layers.LayerTypeUDP).(*layers.UDP)
	if eth == nil || ip == nil || udp == nil {
		t.Fatalf("frame %d is no UDP: %x", i, data)
	}
	if len(data) != length || int(ip.Length) != length-14 || int(udp.Length) != length-34 {
		t.Fatalf("frame %d has %d bytes, IPv4 says %d, UDP %d; want %d in all", i, len(data), ip.Length, udp.Length, length)
	}
	if eth.DstMAC.String() != dst || eth.SrcMAC.String() != src {
		t.Fatalf("frame %d: from %v to %v, want %s to %s", i, eth.SrcMAC, eth.DstMAC, src, dst)
	}
	if ip.SrcIP.String() != srcIP || ip.DstIP.String() != dstIP || udp.SrcPort != srcPort || udp.DstPort != dstPort {
		t.Fatalf("frame %d: %v port %v to %v port %v, want %s port %v to %s port %v",
			i, ip.SrcIP, udp.SrcPort, ip.DstIP, udp.DstPort, srcIP, srcPort, dstIP, dstPort)
	}
	sum := 0
	for w := range slices.Chunk(data[14:34], 2) {
		sum += int(w[0])<<8 | int(w[1])
	}
	if sum = sum&0xffff + sum>>16; sum != 0xffff {
		t.Fatalf("frame %d: the IPv4 header adds up to %#x, want 0xffff: %x", i, sum, data[:42])
	}
}
