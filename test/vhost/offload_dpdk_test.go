package vhost

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/vhostback"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// leaveOffloads are the commands by which testpmd leaves checksums of TCP and segments of
// 500 bytes to the device.
const leaveOffloads = `port stop 0
csum set tcp hw 0
tso set 500 0
port start 0
set fwd csum
`

// tcpPacket is a TCP packet with a payload, as the packet library builds it.
func tcpPacket(t *testing.T, v6 bool, payload []byte) []byte {
	t.Helper()
	eth := &layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2},
		EthernetType: layers.EthernetTypeIPv4}
	tcp := &layers.TCP{SrcPort: 1234, DstPort: 5678, Seq: 0xffffff00, ACK: true, PSH: true, Window: 500}
	v4 := &layers.IPv4{Version: 4, TTL: 9, Protocol: layers.IPProtocolTCP, SrcIP: net.IP{192, 0, 2, 1}, DstIP: net.IP{192, 0, 2, 2}}
	var ip gopacket.SerializableLayer = v4
	_ = tcp.SetNetworkLayerForChecksum(v4)
	if v6 {
		h := &layers.IPv6{Version: 6, NextHeader: layers.IPProtocolTCP, HopLimit: 9,
			SrcIP: net.ParseIP("2001:db8::1"), DstIP: net.ParseIP("2001:db8::2")}
		eth.EthernetType, ip = layers.EthernetTypeIPv6, h
		_ = tcp.SetNetworkLayerForChecksum(h)
	}
	return serialize(t, eth, ip, tcp, gopacket.Payload(payload))
}

func serialize(t *testing.T, list ...gopacket.SerializableLayer) []byte {
	t.Helper()
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, list...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TCP packets that DPDK's driver leaves to the device come out of it in segments, with what
// the packet library computes for lengths and checksums.
func TestBackEndSegmentsForVirtioUser(t *testing.T) {
	commands := filepath.Join(t.TempDir(), "commands")
	if err := os.WriteFile(commands, []byte(leaveOffloads), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, keys := range []string{"", ",packed_vq=1"} {
		near, far := wire.Cable()
		socket := socketPath(t)
		back := serveDevice(t, socket, vhostback.Config{Device: vdev.Config{Backend: far, Hold: true}})
		driver := startVirtioUser(t, socket, keys, "--cmdline-file="+commands, "--mbcache=0")
		driver.until("it leaves checksums and segments to the device", func() bool {
			s := back.State()
			return s.Up && s.Features.Has(virtio.NetCSUM) && s.Features.Has(virtio.NetHostTSO4) && s.Features.Has(virtio.NetHostTSO6)
		})
		for i := range 40 {
			payload := bytes.Repeat([]byte{byte(i), 0xa5, byte(i * i)}, 460)
			whole := tcpPacket(t, i%2 == 1, payload)
			driver.until("a frame is taken", func() bool { return near.Transmit(0, [][]byte{whole}) == 1 })
			var frames [][]byte
			in := make([][]byte, 8)
			driver.until("three segments came back", func() bool {
				for _, f := range in[:near.Receive(0, in)] {
					frames = append(frames, bytes.Clone(f))
				}
				return len(frames) >= 3
			})
			for j, frame := range frames {
				checkSegment(t, frame, payload[500*j:min(500*j+500, len(payload))], 0xffffff00+uint32(500*j))
			}
		}
		if s := back.Device().Stats(); s.TxFrames != 40 || s.TxSegments != 120 {
			t.Errorf("%+v", s)
		}
		for _, v := range back.Device().Violations() {
			if !tolerated[v.Rule] {
				t.Errorf("the device recorded %v", v)
			}
		}
	}
}

// checkSegment checks a frame with a part of the payload.
func checkSegment(t *testing.T, frame, payload []byte, seq uint32) {
	t.Helper()
	p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.DecodeOptions{})
	tcp, ok := p.Layer(layers.LayerTypeTCP).(*layers.TCP)
	if !ok || tcp.Seq != seq || !bytes.Equal(tcp.Payload, payload) {
		t.Fatalf("segment at %d: %v", seq, p)
	}
	_ = tcp.SetNetworkLayerForChecksum(p.NetworkLayer())
	var list []gopacket.SerializableLayer
	for _, l := range p.Layers() {
		list = append(list, l.(gopacket.SerializableLayer))
	}
	if want := serialize(t, list...); !bytes.Equal(frame, want) {
		t.Errorf("%x, want %x", frame, want)
	}
}
