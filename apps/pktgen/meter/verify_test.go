package meter

import (
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// verified are streams with headers of every kind that is verified.
func verified(t testing.TB) []*traffic.Program {
	t.Helper()
	var programs []*traffic.Program
	for i, layers := range []traffic.Layers{
		{traffic.Default[traffic.Ethernet](), traffic.Default[traffic.IPv4](), traffic.Default[traffic.UDP]()},
		{traffic.Default[traffic.Ethernet](), traffic.Default[traffic.IPv4](), traffic.Default[traffic.TCP]()},
		{traffic.Default[traffic.Ethernet](), traffic.Default[traffic.IPv4](), traffic.Default[traffic.ICMP]()},
		{traffic.Default[traffic.Ethernet](), traffic.Default[traffic.IPv6](), traffic.Default[traffic.UDP]()},
		{traffic.Default[traffic.Ethernet](), traffic.Default[traffic.IPv6](), traffic.Default[traffic.ICMPv6]()},
		{
			traffic.Default[traffic.Ethernet](), traffic.Default[traffic.VLAN](), traffic.Default[traffic.VLAN](),
			traffic.Default[traffic.IPv6](), traffic.Default[traffic.TCP](),
		},
		{
			traffic.Default[traffic.Ethernet](), traffic.Default[traffic.IPv4](), traffic.Default[traffic.UDP](),
			traffic.Default[traffic.VXLAN](), traffic.Default[traffic.Ethernet](), traffic.Default[traffic.IPv4](),
			traffic.Default[traffic.UDP](),
		},
	} {
		s := traffic.Stream{Name: "all", Packet: layers, Size: traffic.FixedSize(150)}
		p, err := s.Compile(traffic.Options{ID: uint16(i)})
		if err != nil {
			t.Fatal(err)
		}
		programs = append(programs, p)
	}
	return programs
}

// TestVerifiedPacketsOfAllKinds verifies packets as they are sent, and with each byte
// changed in turn. What comes after the addresses and types of Ethernet is all covered
// by some check, apart from four fields of IPv6.
func TestVerifiedPacketsOfAllKinds(t *testing.T) {
	s := newSource(t, 8)
	var c Config
	programs := verified(t)
	for _, p := range programs {
		c.Streams = append(c.Streams, StreamOf(p))
	}
	c.Verify = Verify{Lengths: true, Checksums: true, Payload: true}
	r := newReceiver(t, c)
	for id, p := range programs {
		frame := make([]byte, p.MaxLen())
		frame = frame[:p.Next(frame, 12345)]
		receive(r, 0, s.raw(frame))
		got := r.Snapshot().Streams[id].Counts
		if want := (Counts{InOrder: 1, Bytes: uint64(len(frame))}); got != want {
			t.Fatalf("stream %d as it is sent: %+v; %+v", id, got, r.Snapshot().Examples)
		}
		headers := 14
		for frame[headers-2] == 0x81 || frame[headers-2] == 0x88 {
			headers += 4
		}
		for at := range frame {
			before := r.Snapshot()
			damaged := append([]byte(nil), frame...)
			damaged[at] ^= 0x11
			receive(r, 0, s.raw(damaged))
			after := r.Snapshot()
			corrupt := after.Streams[id].Corrupt.Packets() - before.Streams[id].Corrupt.Packets()
			other := after.Unknown.Packets + after.Invalid.Packets - before.Unknown.Packets - before.Invalid.Packets
			if after.Packets() != before.Packets()+1 {
				t.Fatalf("stream %d, byte %d: not counted once", id, at)
			}
			v6 := frame[headers]>>4 == 6
			switch i := at - headers; {
			case i < 0, v6 && (i < 4 || i == 6 || i == 7): // class, flow label, next header, hop limit
			case len(frame)-at <= 16 && len(frame)-at > 12: // which stream it is
				if other != 1 {
					t.Errorf("stream %d, byte %d: still of a stream", id, at)
				}
			case corrupt != 1:
				t.Errorf("stream %d, byte %d: not found", id, at)
			}
		}
	}
}

// TestOnlyWhatIsAskedForIsVerified damages a packet in three ways and verifies it in all.
func TestOnlyWhatIsAskedForIsVerified(t *testing.T) {
	s := newSource(t, 8)
	p, err := traffic.Flows(100, 1).Compile(traffic.Options{})
	if err != nil {
		t.Fatal(err)
	}
	frame := make([]byte, 100)
	p.Next(frame, 0)
	frame[16], frame[17] = 0, 85 // the total length
	frame[24] ^= 1               // the checksum of the header
	frame[50] ^= 1               // the payload
	for _, c := range []struct {
		verify Verify
		want   Corrupt
		what   string
	}{
		{Verify{}, Corrupt{}, ""},
		{Verify{Lengths: true}, Corrupt{Length: 1}, "IPv4 total length is 85, want 86"},
		{Verify{Checksums: true}, Corrupt{Checksum: 1}, "IPv4 header checksum is 0x"},
		{Verify{Payload: true}, Corrupt{Payload: 1}, "payload"},
		{Verify{Lengths: true, Checksums: true, Payload: true}, Corrupt{Length: 1}, "IPv4 total length"},
		{Verify{Checksums: true, Payload: true}, Corrupt{Checksum: 1}, "IPv4 header checksum"},
	} {
		r := newReceiver(t, Config{Streams: []Stream{StreamOf(p)}, Verify: c.verify})
		receive(r, 77, s.raw(frame))
		got := r.Snapshot()
		if got.Streams[0].Corrupt != c.want || got.Packets() != 1 || got.Streams[0].Lost(1) != c.want.Packets() {
			t.Errorf("%+v: %+v, want %+v", c.verify, got.Streams[0].Counts, c.want)
		}
		if c.what == "" {
			continue
		}
		if len(got.Examples) != 1 {
			t.Fatalf("%+v: %d examples", c.verify, len(got.Examples))
		}
		if e := got.Examples[0]; !strings.Contains(e.String(), c.what) || e.Time != 77 || string(e.Frame) != string(frame) {
			t.Errorf("%+v: example %v", c.verify, e)
		}
	}
}

// TestExamplesAreTheFirst: each kind has one example, of which a long frame is cut. Failures
// allocate nothing.
func TestExamplesAreTheFirst(t *testing.T) {
	s := newSource(t, 8)
	p, err := traffic.Flows(1000, 1).Compile(traffic.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := newReceiver(t, Config{Streams: []Stream{StreamOf(p)}, Verify: Verify{Lengths: true, Checksums: true}})
	frame := make([]byte, 1000)
	p.Next(frame, 0)
	frame[500] ^= 1
	receive(r, 1, s.raw(frame))
	r.Snapshot()
	frame[501] ^= 1
	receive(r, 2, s.raw(frame))
	frame[17]++
	receive(r, 3, s.raw(frame))
	got := r.Snapshot().Examples
	if len(got) != 2 || got[0].Kind != Checksum || got[0].Time != 1 || got[1].Kind != Length || got[1].Time != 3 ||
		len(got[0].Frame) != exampleLen || got[0].Length != 1000 {
		t.Errorf("examples %+v", got)
	}
	if lines := strings.Count(got[0].String(), "\n"); lines != 1+exampleLen/16 {
		t.Errorf("%d lines:\n%v", lines, got[0])
	}
	bufs := []*mbuf.Buf{s.raw(frame)}
	defer mbuf.Free(bufs)
	if n := testing.AllocsPerRun(100, func() { r.Receive(bufs, 4) }); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
	r.Begin(nil)
	r.Receive(bufs, 5)
	if got := r.Snapshot(); len(got.Examples) != 1 || got.Examples[0].Time != 5 {
		t.Errorf("examples of the next trial: %+v", got.Examples)
	}
}

// FuzzVerify verifies any bytes, as one segment and as two. Each packet is counted once.
func FuzzVerify(f *testing.F) {
	programs := verified(f)
	var c Config
	for _, p := range programs {
		frame := make([]byte, p.MaxLen())
		f.Add(frame[:p.Next(frame, 1)], uint8(20))
		c.Streams = append(c.Streams, StreamOf(p))
	}
	c.Verify = Verify{Lengths: true, Checksums: true, Payload: true}
	pool := newSource(f, 8).pool
	r := newReceiver(f, c)
	f.Fuzz(func(t *testing.T, data []byte, cut uint8) {
		s := &source{t, pool}
		if len(data) > 1024 {
			return
		}
		if len(data) >= traffic.SignatureLen {
			sign(data, uint16(cut)%uint16(len(programs)), 0, 0) // otherwise it is not looked at
		}
		before := r.Snapshot()
		whole := s.raw(data)
		first, second := s.raw(data[:min(int(cut), len(data))]), s.raw(data[min(int(cut), len(data)):])
		first.SetNext(second)
		receive(r, 0, whole)
		middle := r.Snapshot()
		receive(r, 0, first)
		after := r.Snapshot()
		if middle.Packets() != before.Packets()+1 || after.Packets() != before.Packets()+2 {
			t.Errorf("%d, %d, %d packets", before.Packets(), middle.Packets(), after.Packets())
		}
		for i := range before.Streams {
			one := middle.Streams[i].Corrupt.Packets() - before.Streams[i].Corrupt.Packets()
			two := after.Streams[i].Corrupt.Packets() - middle.Streams[i].Corrupt.Packets()
			if one != two {
				t.Errorf("stream %d: corrupt %d times in one segment, %d in two", i, one, two)
			}
		}
	})
}
