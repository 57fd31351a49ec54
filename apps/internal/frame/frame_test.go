package frame

import (
	"bytes"
	"net"
	"net/netip"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

var described = UDP{
	Dst: Peer(7), Src: net.HardwareAddr{0x52, 0x54, 0, 1, 2, 3},
	SrcIP: netip.MustParseAddr("198.18.0.1"), DstIP: netip.MustParseAddr("10.253.0.0"),
	SrcPort: 9, DstPort: 4321, Len: 200,
}

// checked takes a frame apart with another implementation, which computes the
// checksum itself.
func checked(t *testing.T, data []byte) (*layers.Ethernet, *layers.IPv4, *layers.UDP) {
	t.Helper()
	p := gopacket.NewPacket(data, layers.LayerTypeEthernet, gopacket.Default)
	if e := p.ErrorLayer(); e != nil {
		t.Fatalf("%v: %x", e.Error(), data)
	}
	eth, _ := p.Layer(layers.LayerTypeEthernet).(*layers.Ethernet)
	ip, _ := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
	udp, _ := p.Layer(layers.LayerTypeUDP).(*layers.UDP)
	if eth == nil || ip == nil || udp == nil {
		t.Fatalf("not a UDP frame: %x", data)
	}
	sum := ip.Checksum
	out := gopacket.NewSerializeBuffer()
	again := *ip
	if err := again.SerializeTo(out, gopacket.SerializeOptions{ComputeChecksums: true}); err != nil {
		t.Fatal(err)
	}
	if again.Checksum != sum {
		t.Errorf("checksum %#x, want %#x", sum, again.Checksum)
	}
	return eth, ip, udp
}

func TestHeader(t *testing.T) {
	data := make([]byte, described.Len)
	*(*Header)(data) = described.Header()
	eth, ip, udp := checked(t, data)
	if !bytes.Equal(eth.DstMAC, described.Dst) || !bytes.Equal(eth.SrcMAC, described.Src) {
		t.Errorf("addresses %v and %v", eth.DstMAC, eth.SrcMAC)
	}
	if ip.SrcIP.String() != "198.18.0.1" || ip.DstIP.String() != "10.253.0.0" || ip.TTL != 64 || int(ip.Length) != described.Len-14 {
		t.Errorf("IPv4 header %+v", ip)
	}
	if udp.SrcPort != 9 || udp.DstPort != 4321 || int(udp.Length) != described.Len-34 || udp.Checksum != 0 {
		t.Errorf("UDP header %+v", udp)
	}
}

// TestFlows: each flow has its own destination and a checksum that is right,
// also where sums carry over.
func TestFlows(t *testing.T) {
	flows := described.Flows()
	data := make([]byte, described.Len)
	for _, n := range []uint16{0, 1, 255, 256, 1023, 0x7fff, 0x8000, 0xfffe, 0xffff} {
		flows.Write(data, n)
		_, ip, _ := checked(t, data)
		if want := (net.IP{10, 253, byte(n >> 8), byte(n)}); !ip.DstIP.Equal(want) {
			t.Errorf("flow %d goes to %v, want %v", n, ip.DstIP, want)
		}
	}
	for n := range 1 << 16 {
		flows.Write(data, uint16(n))
		if s := fold((*Header)(data).sum()); s != uint16(data[sumOffset])<<8|uint16(data[sumOffset+1]) {
			t.Fatalf("flow %d: checksum %x, want %#x", n, data[sumOffset:sumOffset+2], s)
		}
	}
	short := make([]byte, HeaderLen-1)
	flows.Write(short, 5)
	if !bytes.Equal(short, make([]byte, HeaderLen-1)) {
		t.Errorf("a packet that is too short was written to: %x", short)
	}
}

// TestAddresses: addresses are set and exchanged, and nothing else is touched.
func TestAddresses(t *testing.T) {
	pool, err := mbuf.NewPool(mbuf.Config{Count: 1, Memory: hugepages.Options{SmallPages: true}})
	if err != nil {
		t.Fatal(err)
	}
	bufs := make([]*mbuf.Buf, 1)
	pool.Get(bufs)
	data := bufs[0].Append(14)
	for i := range data {
		data[i] = byte(i)
	}
	Swap(bufs)
	if want := []byte{6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5, 12, 13}; !bytes.Equal(data, want) {
		t.Errorf("exchanged: %x, want %x", data, want)
	}
	NewMAC(0x17, net.HardwareAddr{0x52, 0x54, 0, 1, 2, 3}).Write(bufs)
	if want := []byte{2, 0, 0, 0, 0, 0x17, 0x52, 0x54, 0, 1, 2, 3, 12, 13}; !bytes.Equal(data, want) {
		t.Errorf("set: %x, want %x", data, want)
	}
	bufs[0].Trim(3) // 11 bytes have no source address
	before := bytes.Clone(data)
	Swap(bufs)
	NewMAC(1, net.HardwareAddr{1, 2, 3, 4, 5, 6}).Write(bufs)
	if !bytes.Equal(data, before) {
		t.Errorf("a packet that is too short was written to: %x", data)
	}
	pool.Put(bufs)
	if err := pool.Release(); err != nil {
		t.Error(err)
	}
}

// TestMACHeader: 12 bytes are written and not one more, and nothing in a frame
// that is too short for them.
func TestMACHeader(t *testing.T) {
	pool, err := mbuf.NewPool(mbuf.Config{Count: 3, Memory: hugepages.Options{SmallPages: true}})
	if err != nil {
		t.Fatal(err)
	}
	bufs := make([]*mbuf.Buf, 3)
	pool.Get(bufs)
	for i, n := range []int{11, 12, 60} {
		copy(bufs[i].Append(n), bytes.Repeat([]byte{0xee}, n))
	}
	NewMAC(0x1f, net.HardwareAddr{0x52, 0x54, 0, 1, 2, 3}).Write(bufs)
	header := []byte{2, 0, 0, 0, 0, 0x1f, 0x52, 0x54, 0, 1, 2, 3}
	for i, want := range [][]byte{bytes.Repeat([]byte{0xee}, 11), header, append(bytes.Clone(header), bytes.Repeat([]byte{0xee}, 48)...)} {
		if !bytes.Equal(bufs[i].Data(), want) {
			t.Errorf("got  %x\nwant %x", bufs[i].Data(), want)
		}
	}
	mbuf.Free(bufs)
	if err := pool.Release(); err != nil {
		t.Error(err)
	}
}
