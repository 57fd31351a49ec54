package traffic

import (
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// compiled compiles a stream that is right.
func compiled(t testing.TB, s *Stream, o Options) *Program {
	t.Helper()
	p, err := s.Compile(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// pool returns a pool whose buffers have room for any packet.
func pool(t testing.TB, count, room int) *mbuf.Pool {
	t.Helper()
	p, err := mbuf.NewPool(mbuf.Config{Count: count, DataRoom: room, Memory: hugepages.Options{SmallPages: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Release(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// TestFlows: a thousand flows have a thousand source ports in turn, right checksums and
// signatures that are numbered.
func TestFlows(t *testing.T) {
	p := compiled(t, Flows(60, 1000), Options{ID: 7})
	data := make([]byte, p.MaxLen())
	for i := range 3000 {
		now := int64(i) << 33
		n := p.Next(data, now)
		packet := gopacket.NewPacket(data[:n], layers.LayerTypeEthernet, gopacket.Default)
		udp, _ := packet.Layer(layers.LayerTypeUDP).(*layers.UDP)
		if n != 60 || udp == nil || int(udp.SrcPort) != 1024+i%1000 {
			t.Fatalf("packet %d: %v", i, packet)
		}
		if err := checkSums(data[:n]); err != nil {
			t.Fatalf("packet %d: %v", i, err)
		}
		s, ok := ReadSignature(data[:n])
		if want := (Signature{Stream: 7, Sequence: uint32(i), Time: now}); !ok || s != want {
			t.Fatalf("signature %+v, want %+v", s, want)
		}
		if !p.CheckPayload(udp.Payload) {
			t.Fatalf("payload %x", udp.Payload)
		}
	}
}

// TestFillIsNext: Fill makes the packets that Next makes, and allocates nothing.
func TestFillIsNext(t *testing.T) {
	s := Flows(60, 1000)
	s.Size, _ = ParseSize("imix")
	a, b := compiled(t, s, Options{}), compiled(t, s, Options{})
	cache := pool(t, 200, 0).NewCache(64)
	defer cache.Close()
	bufs := make([]*mbuf.Buf, 77)
	want := make([]byte, b.MaxLen())
	for round := range 50 {
		cache.Get(bufs)
		sum := 0
		got := a.Fill(bufs, int64(round))
		for _, buf := range bufs {
			n := b.Next(want, int64(round))
			sum += n
			if string(buf.Data()) != string(want[:n]) {
				t.Fatalf("got  %x\nwant %x", buf.Data(), want[:n])
			}
		}
		if got != sum {
			t.Fatalf("%d bytes, want %d", got, sum)
		}
		cache.Put(bufs)
	}
	if n := testing.AllocsPerRun(100, func() {
		cache.Get(bufs)
		a.Fill(bufs, 1)
		cache.Put(bufs)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestManyFlows: more flows than there are ports differ in their addresses, all of them.
func TestManyFlows(t *testing.T) {
	const flows = 70000
	p := compiled(t, Flows(60, flows), Options{})
	data := make([]byte, 60)
	seen := map[[4]byte]bool{}
	for i := range flows + 1 {
		p.Next(data, 0)
		address := [4]byte(data[26:])
		if seen[address] != (i == flows) {
			t.Fatalf("packet %d comes from %v", i, address)
		}
		seen[address] = true
		if err := checkSums(data); err != nil {
			t.Fatal(err)
		}
	}
}
