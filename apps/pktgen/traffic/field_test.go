package traffic

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// valuesOf returns what n packets of a stream have at a place, as numbers.
func valuesOf(t *testing.T, s *Stream, o Options, n, at, width int) (values []uint64) {
	t.Helper()
	p := compiled(t, s, o)
	data := make([]byte, p.MaxLen())
	for range n {
		p.Next(data, 0)
		var b [8]byte
		copy(b[8-width:], data[at:at+width])
		values = append(values, binary.BigEndian.Uint64(b[:]))
	}
	return values
}

// TestFields: each field goes through its values in the order that its operation says.
func TestFields(t *testing.T) {
	eth, ip, udp := Default[Ethernet](), Default[IPv4](), Default[UDP]()
	plain, tagged := Layers{eth, ip, udp}, Layers{eth, VLAN{ID: 0x123, Priority: 5, DEI: true}, ip, udp}
	v6 := Layers{eth, Default[IPv6](), udp}
	for _, c := range []struct {
		name      string
		packet    Layers
		field     Field
		at, width int
		want      []uint64
	}{
		{"increment", plain, Field{Name: "udp.src", Min: "5", Max: "7"}, 34, 2, []uint64{5, 6, 7, 5, 6, 7}},
		{"from what the header has", plain, Field{Name: "udp.dst", Count: 2}, 36, 2, []uint64{9, 10, 9}},
		{"with a step", plain, Field{Name: "udp.src", Min: "0x10", Max: "30", Step: 5}, 34, 2, []uint64{16, 21, 26, 16}},
		{"count with a step", plain, Field{Name: "udp.src", Min: "0", Count: 3, Step: 100}, 34, 2, []uint64{0, 100, 200, 0}},
		{"decrement", plain, Field{Name: "udp.src", Op: Decrement, Min: "5", Max: "7"}, 34, 2, []uint64{7, 6, 5, 7}},
		{"decrement with a step", plain, Field{Name: "udp.src", Op: Decrement, Min: "0", Max: "9", Step: 4}, 34, 2, []uint64{9, 5, 1, 9}},
		{"list", plain, Field{Name: "ipv4.dst", Op: List, List: []string{"1.2.3.4", "0x05060708"}}, 30, 4, []uint64{0x01020304, 0x05060708, 0x01020304}},
		{"addresses", plain, Field{Name: "ipv4.src", Min: "10.0.0.255", Max: "10.0.1.0"}, 26, 4, []uint64{0x0a0000ff, 0x0a000100, 0x0a0000ff}},
		{"MAC address", plain, Field{Name: "ethernet.dst", Min: "02:00:00:00:00:ff", Count: 2}, 0, 6, []uint64{0x0200000000ff, 0x020000000100, 0x0200000000ff}},
		{"source MAC address", plain, Field{Name: "ethernet.src", Op: List, List: []string{"0a:0b:0c:0d:0e:0f", "1"}}, 6, 6, []uint64{0x0a0b0c0d0e0f, 1}},
		{"bits beside others", tagged, Field{Name: "vlan.id", Min: "4094", Max: "4095"}, 14, 2, []uint64{0xbffe, 0xbfff, 0xbffe}},
		{"upper bits", tagged, Field{Name: "vlan.priority", Min: "0", Max: "7", Step: 7}, 14, 2, []uint64{0x1123, 0xf123, 0x1123}},
		{"mask", plain, Field{Name: "udp.src", Min: "0", Max: "0xffff", Step: 0x1111, Mask: "0x0f0f"}, 34, 2, []uint64{0x400 &^ 0xf0f, 0x101, 0x202, 0x303}},
		{"IPv6, lower half", v6, Field{Name: "ipv6.src", Min: "2001:2::fffe", Count: 2}, 30, 8, []uint64{0xfffe, 0xffff, 0xfffe}},
		{"IPv6, list", v6, Field{Name: "ipv6.dst", Op: List, List: []string{"2001:2::1", "2001:3::2"}}, 38, 8, []uint64{0x2001000200000000, 0x2001000300000000}},
		{"flow label", v6, Field{Name: "ipv6.flow_label", Min: "0xffffe", Max: "0xfffff"}, 14, 4, []uint64{0x600ffffe, 0x600fffff}},
		{"bytes", plain, Field{Name: "bytes[42:1]", Min: "254", Max: "255"}, 42, 1, []uint64{254, 255, 254}},
		{"3 bytes", plain, Field{Name: "bytes[41:3]", Min: "0", Max: "1"}, 41, 3, []uint64{0, 1}},
	} {
		if c.name == "3 bytes" {
			c.packet = Layers{eth, ip, UDP{Checksum: ChecksumNone}} // the first of them is its checksum
		}
		s := &Stream{Packet: c.packet, Size: FixedSize(128), Fields: []Field{c.field}}
		if got := valuesOf(t, s, Options{}, len(c.want), c.at, c.width); !slices.Equal(got, c.want) {
			t.Errorf("%s: %#x, want %#x", c.name, got, c.want)
		}
	}
}

// TestTuples: fields that go through all pairs, and fields that go together.
func TestTuples(t *testing.T) {
	s := Flows(60, 1)
	s.Fields = []Field{
		{Name: "ipv4.src", Min: "0", Count: 3},
		{Name: "udp.src", Min: "100", Count: 2, After: "ipv4.src"},
		{Name: "udp.dst", Op: List, List: []string{"7", "8", "9"}, Follows: "ipv4.src"},
		{Name: "ipv4.id", Min: "1", Count: 2, After: "udp.src"},
	}
	got := valuesOf(t, s, Options{}, 13, 26, 4)
	ports := valuesOf(t, s, Options{}, 13, 34, 4)
	ids := valuesOf(t, s, Options{}, 13, 18, 2)
	for i := range 13 {
		src, dst := 100+i/3%2, 7+i%3
		if got[i] != uint64(i%3) || ports[i] != uint64(src<<16|dst) || ids[i] != uint64(1+i/6%2) {
			t.Errorf("packet %d: address %d, ports %#x, identification %d", i, got[i], ports[i], ids[i])
		}
	}
}

// TestSeeds: a seed gives the same values each time, another seed and another queue give
// others, and over many packets each value comes about as often as another.
func TestSeeds(t *testing.T) {
	random := func(seed uint64, queue int) []uint64 {
		s := Flows(60, 1)
		s.Fields = []Field{{Name: "udp.src", Op: Random, Min: "1000", Max: "1009", Seed: seed}}
		return valuesOf(t, s, Options{Queue: queue}, 20000, 34, 2)
	}
	first := random(1, 0)
	if !slices.Equal(first, random(1, 0)) {
		t.Error("the same seed gives other values")
	}
	if slices.Equal(first, random(2, 0)) || slices.Equal(first, random(1, 1)) {
		t.Error("another seed or another queue gives the same values")
	}
	count := map[uint64]int{}
	for _, v := range first {
		count[v]++
	}
	for v := uint64(1000); v < 1010; v++ {
		if n := count[v]; n < 1800 || n > 2200 {
			t.Errorf("%d of 20000 are %d", n, v)
		}
	}
	if len(count) != 10 {
		t.Errorf("%d values", len(count))
	}
	s := Flows(60, 1)
	s.Fields = []Field{{Name: "tcp.seq", Op: Random, Seed: 3}}
	s.Packet[2] = Default[TCP]()
	all := valuesOf(t, s, Options{}, 1000, 38, 4)
	slices.Sort(all)
	if all[0] > 1<<28 || all[999] < 1<<32-1<<28 || len(slices.Compact(all)) < 990 {
		t.Errorf("random numbers of all 32 bits from %#x to %#x", all[0], all[999])
	}
}

// TestQueuesOfAStream: two queues that send a stream have the same flows.
func TestQueuesOfAStream(t *testing.T) {
	a, b := compiled(t, Flows(60, 10), Options{ID: 1}), compiled(t, Flows(60, 10), Options{ID: 2, Queue: 1})
	x, y := make([]byte, 60), make([]byte, 60)
	for range 30 {
		a.Next(x, 5)
		b.Next(y, 5)
		if string(x[:40]) != string(y[:40]) || string(x[44:]) == string(y[44:]) {
			t.Fatalf("%x\n%x", x, y)
		}
	}
}

// TestWrongChecksums: what is to be wrong is wrong in every packet, and all else is right.
func TestWrongChecksums(t *testing.T) {
	eth, ip := Default[Ethernet](), Default[IPv4]()
	bad := ip
	bad.Checksum = ChecksumWrong
	for _, c := range []struct {
		packet Layers
		says   string
	}{
		{Layers{eth, bad, Default[UDP]()}, "IPv4 checksum is off"},
		{Layers{eth, ip, UDP{Src: 1, Dst: 2, Checksum: ChecksumWrong}}, "checksum of protocol 17 is off"},
		{Layers{eth, ip, TCP{Src: 1, Dst: 2, Checksum: ChecksumWrong}}, "checksum of protocol 6 is off"},
		{Layers{eth, ip, ICMP{Type: 8, Checksum: ChecksumWrong}}, "checksum of protocol 1 is off"},
		{Layers{eth, Default[IPv6](), ICMPv6{Type: 128, Checksum: ChecksumWrong}}, "checksum of protocol 58 is off"},
	} {
		for _, track := range []Track{TrackAuto, TrackOff} {
			s := &Stream{Packet: c.packet, Size: Size{Lens: []int{90, 91, 200}}, Track: track}
			if _, v6 := c.packet[1].(IPv6); !v6 {
				s.Fields = []Field{{Name: "ipv4.src", Op: Random}, {Name: "ipv4.id", Op: Increment, Max: "0xffff"}}
			}
			p := compiled(t, s, Options{})
			data := make([]byte, p.MaxLen())
			for i := range 70000 {
				err := checkSums(data[:p.Next(data, int64(i))])
				if err == nil || fmt.Sprint(err)[:len(c.says)] != c.says {
					t.Fatalf("packet %d: %v, want %s", i, err, c.says)
				}
			}
		}
	}
}

// TestChecksumsOfEveryKind goes through every sum that 16 bits can have: the checksum of
// UDP is never 0, which would mean that there is none.
func TestChecksumsOfEveryKind(t *testing.T) {
	for _, track := range []Track{TrackAuto, TrackOff} {
		s := Flows(60, 1)
		s.Fields = []Field{{Name: "udp.src", Min: "0", Max: "0xffff"}}
		s.Track = track
		p := compiled(t, s, Options{})
		data := make([]byte, 60)
		for i := range 1 << 16 {
			p.Next(data, 0)
			if err := checkSums(data); err != nil {
				t.Fatalf("packet %d: %v", i, err)
			}
			if sum := binary.BigEndian.Uint16(data[40:]); sum == 0 {
				t.Fatalf("packet %d has no checksum", i)
			}
		}
	}
}

// TestNoRoom: a buffer that is too short for a packet stays empty, and the next one has
// the next packet.
func TestNoRoom(t *testing.T) {
	for name, flows := range map[string]int{"from a table": 1, "without a table": 20000} {
		p := compiled(t, Flows(1514, flows), Options{})
		small, large := pool(t, 1, 1000).NewCache(1), pool(t, 2, 0).NewCache(2)
		bufs := []*mbuf.Buf{large.GetOne(), small.GetOne(), large.GetOne()}
		if n := p.Fill(bufs, 0); n != 2*1514 || bufs[1].Len() != 0 {
			t.Errorf("%s: %d bytes, %d in the short buffer", name, n, bufs[1].Len())
		}
		for i, want := range map[int]uint32{0: 0, 2: 2} {
			if s, ok := ReadSignature(bufs[i].Data()); !ok || s.Sequence != want || checkSums(bufs[i].Data()) != nil {
				t.Errorf("%s: packet %d is %+v", name, i, s)
			}
		}
		mbuf.Free(bufs)
		small.Close()
		large.Close()
	}
}

// TestSequenceWraps: checksums are right where the numbers of packets begin again.
func TestSequenceWraps(t *testing.T) {
	for name, s := range map[string]*Stream{"from a table": Flows(60, 10), "without a table": Flows(60, 20000), "odd size": Flows(61, 10),
		"sizes": {Packet: Flows(60, 1).Packet, Size: Size{Lens: []int{60, 61, 62}}}} {
		a, b := compiled(t, s, Options{}), compiled(t, s, Options{})
		a.sequence, b.sequence = math.MaxUint32-40, math.MaxUint32-40
		cache := pool(t, 100, 0).NewCache(100)
		bufs := make([]*mbuf.Buf, 90)
		cache.Get(bufs)
		a.Fill(bufs, 77)
		data := make([]byte, 62)
		for i, buf := range bufs {
			n := b.Next(data, 77)
			if string(buf.Data()) != string(data[:n]) {
				t.Errorf("%s: packet %d: Fill %x, Next %x", name, i, buf.Data(), data[:n])
			}
			if err := checkSums(data[:n]); err != nil {
				t.Errorf("%s: packet %d: %v", name, i, err)
			}
			if sig, _ := ReadSignature(data[:n]); sig.Sequence != uint32(i)-41 {
				t.Errorf("%s: packet %d has number %d", name, i, sig.Sequence)
			}
		}
		cache.Put(bufs)
		cache.Close()
	}
}
