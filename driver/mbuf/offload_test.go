package mbuf

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/inettest"
)

// drawPacket draws a TCP or UDP packet with any headers that there are.
func drawPacket(t *rapid.T, longest int) inettest.Packet {
	p := inettest.Packet{
		V6: rapid.Bool().Draw(t, "v6"), UDP: rapid.Bool().Draw(t, "udp"),
		Tags:    rapid.IntRange(0, 2).Draw(t, "tags"),
		ID:      rapid.Uint16().Draw(t, "id"),
		Seq:     rapid.Uint32().Draw(t, "seq"),
		Flags:   rapid.Byte().Draw(t, "flags"),
		Payload: make([]byte, rapid.IntRange(0, longest).Draw(t, "payload")),
	}
	if p.V6 {
		p.Extensions = rapid.SliceOfN(rapid.SampledFrom([]byte{0, 43, 60}), 0, 3).Draw(t, "ext")
	} else {
		p.Options = 4 * rapid.IntRange(0, 10).Draw(t, "options")
	}
	if !p.UDP {
		p.TCPOptions = 4 * rapid.IntRange(0, 10).Draw(t, "tcp options")
	}
	x := rapid.Uint32().Draw(t, "contents")
	for i := range p.Payload {
		x = x*1664525 + 1013904223
		p.Payload[i] = byte(x >> 24)
	}
	return p
}

// scatter makes a packet of a frame, in segments of drawn lengths.
func scatter(t *rapid.T, pool *Pool, frame []byte) *Buf {
	first := pool.GetOne()
	last := first
	for {
		n := min(rapid.IntRange(0, pool.DataRoom()).Draw(t, "segment"), len(frame))
		copy(last.Append(n), frame[:n])
		if frame = frame[n:]; len(frame) == 0 {
			return first
		}
		last.SetNext(pool.GetOne())
		last = last.Next()
	}
}

func contents(b *Buf) []byte {
	data := make([]byte, b.PacketLen())
	b.CopyTo(data)
	return data
}

// TestPrepareChecksum leaves the checksum of random packets to be completed, and completes
// it in software: in whatever segments, it becomes what the tests compute.
func TestPrepareChecksum(t *testing.T) {
	pool := newPool(t, Config{Count: 4096, DataRoom: 256})
	rapid.Check(t, func(t *rapid.T) {
		p := drawPacket(t, 3000)
		blank := p.Blank()
		b := scatter(t, pool, append(blank, make([]byte, rapid.IntRange(0, 20).Draw(t, "padding"))...))
		defer b.Free()
		if err := b.PrepareChecksum(); err != nil {
			t.Fatal(err)
		}
		start, offset, ok := b.PartialChecksum()
		if !ok || start != p.Start() || offset != p.Field() || b.Checksum() != ChecksumPartial {
			t.Fatalf("%d, %d, %v, want %d, %d", start, offset, ok, p.Start(), p.Field())
		}
		n := len(blank)
		if got := contents(b); !bytes.Equal(got[:n], p.Partial()) {
			t.Fatalf("% x, want the sum of the pseudo-header: % x", got, p.Partial())
		}
		if !b.CompleteChecksum() || b.Checksum() != ChecksumUnknown {
			t.Fatal("not completed")
		}
		if got := contents(b); !bytes.Equal(got[:n], p.Frame()) {
			t.Fatalf("% x, want % x", got, p.Frame())
		}
	})
}

// TestSegment cuts random packets into frames, and checks each of them and that together
// they have the payload.
func TestSegment(t *testing.T) {
	pool := newPool(t, Config{Count: 8192, DataRoom: 512})
	cache := pool.NewCache(16)
	rapid.Check(t, func(t *rapid.T) {
		p := drawPacket(t, 4000)
		size := rapid.IntRange(100, 3000).Draw(t, "size")
		b := scatter(t, pool, p.Blank())
		defer b.Free()
		if err := b.PrepareSegmentation(size); err != nil {
			t.Fatal(err)
		}
		var h DriverTransport
		ok := Driver(b).Transport(&h, b.PacketLen())
		if !ok || h.Payload != p.HeadersLen() || h.Kind() != b.Segmentation() {
			t.Fatalf("%+v, want a payload at %d", h, p.HeadersLen())
		}
		frames := make([]*Buf, (len(p.Payload)+size-1)/size)
		if !(*DriverCache)(cache).Segment(b, &h, size, frames) {
			t.Fatal("too few buffers")
		}
		checkFrames(t, p, size, frames)
		cache.Put(frames)
	})
	cache.Close()
	if pool.Free() != pool.Size() {
		t.Errorf("%d of %d buffers are free", pool.Free(), pool.Size())
	}
}

func checkFrames(t *rapid.T, p inettest.Packet, size int, frames []*Buf) {
	var payload []byte
	for i, f := range frames {
		last := i == len(frames)-1
		if start, offset, ok := f.PartialChecksum(); !ok || start != p.Start() || offset != p.Field() {
			t.Fatalf("frame %d has no checksum to be completed", i)
		}
		if !f.CompleteChecksum() {
			t.Fatal("not completed")
		}
		got, err := inettest.Parse(contents(f))
		if err != nil {
			t.Fatalf("frame %d of %d: %v", i, len(frames), err)
		}
		want := p
		if want.Payload = got.Payload; !p.V6 {
			want.ID += uint16(i)
		}
		if want.Seq += uint32(len(payload)); i > 0 {
			want.Flags &^= 0x80
		}
		if !last {
			want.Flags &^= 0x09
		}
		if !bytes.Equal(contents(f), want.Frame()) {
			t.Fatalf("frame %d of %d: % x\nwant % x", i, len(frames), contents(f), want.Frame())
		}
		if len(got.Payload) != size && !last {
			t.Fatalf("frame %d has %d bytes of payload, want %d", i, len(got.Payload), size)
		}
		payload = append(payload, got.Payload...)
	}
	if !bytes.Equal(payload, p.Payload) {
		t.Fatal("the payloads are not the packet's")
	}
}

// TestOffloadMoves changes where a packet begins, which does not change what is summed,
// and copies it.
func TestOffloadMoves(t *testing.T) {
	pool := newPool(t, Config{Count: 64, DataRoom: 256})
	p := inettest.Packet{Payload: []byte("payload of some bytes")}
	want := p.Frame()
	for name, change := range map[string]func(b *Buf) *Buf{
		"nothing": func(b *Buf) *Buf { return b },
		"prepend": func(b *Buf) *Buf { b.Prepend(20); b.Adj(20); return b },
		"adj":     func(b *Buf) *Buf { h := [6]byte(b.Data()); b.Adj(6); copy(b.Prepend(6), h[:]); return b },
		"clone":   func(b *Buf) *Buf { c := pool.Clone(b); b.Free(); return c },
		"vlan": func(b *Buf) *Buf {
			if !b.InsertVLAN(0x2005) || b.Len() != len(want)+4 {
				t.Fatal("no tag")
			}
			if tci, ok := b.StripVLAN(); !ok || tci != 0x2005 {
				t.Fatalf("tag %#x, %v", tci, ok)
			}
			return b
		},
		"linearize": func(b *Buf) *Buf { // into the headroom, as the tailroom is too short
			tail := pool.GetOne()
			head := b.Data()
			copy(tail.Append(len(head)-60), head[60:])
			b.Trim(len(head) - 60)
			room := b.Tailroom()
			copy(b.room[room-1:], contents(b))
			o := *b.offload()
			o.Start += uint32(room-1) - b.view.Offset()
			b.view = DriverViewOf(uint32(room-1), 60)
			Driver(b).Describe(&o)
			b.SetNext(tail)
			if !b.Linearize() {
				t.Fatal("not linearized")
			}
			return b
		},
	} {
		b := pool.GetOne()
		copy(b.Append(len(want)), p.Blank())
		if err := b.PrepareChecksum(); err != nil {
			t.Fatal(err)
		}
		b = change(b)
		if start, _, ok := b.PartialChecksum(); !ok || start != p.Start() {
			t.Errorf("%s: the sum begins at %d, want %d", name, start, p.Start())
		}
		if !b.CompleteChecksum() || !bytes.Equal(b.Data(), want) {
			t.Errorf("%s: % x, want % x", name, b.Data(), want)
		}
		b.Free()
	}
}

// TestCoalescedCopied: a copy of a merged packet has its counts, and a buffer used again has
// none, also if a checksum is asked for.
func TestCoalescedCopied(t *testing.T) {
	pool := newPool(t, Config{Count: 4})
	b := pool.GetOne()
	b.Append(60)
	Driver(b).Describe(&DriverOffload{Coalesced: true, Kind: SegmentTCPv4, Size: 9, State: ChecksumGood})
	Driver(b).SetCoalesced(DriverCoalesced{Segments: 7, DuplicateACKs: 2})
	copied := pool.Clone(b)
	for _, p := range []*Buf{b, copied} {
		if segments, acks, ok := p.Coalesced(); segments != 7 || acks != 2 || !ok {
			t.Errorf("%d segments, %d acknowledgements, %v", segments, acks, ok)
		}
		p.Reset()
		p.Append(60)
		if err := p.RequestChecksum(20, 10); err != nil {
			t.Fatal(err)
		}
		if segments, acks, ok := p.Coalesced(); ok {
			t.Errorf("%d segments and %d acknowledgements are left", segments, acks)
		}
		p.Free()
	}
}

// TestOffloadForgotten finds nothing in a buffer that was described, freed and taken again.
func TestOffloadForgotten(t *testing.T) {
	pool := newPool(t, Config{Count: 1})
	cache := pool.NewCache(1)
	record := DriverOffload{Hash: 1, Report: uint8(virtio.HashReportTCPv4), State: ChecksumGood, Size: 9,
		Kind: SegmentTCPv4}
	for name, forget := range map[string]func(b *Buf) *Buf{
		"free":       func(b *Buf) *Buf { b.Free(); return pool.GetOne() },
		"cache":      func(b *Buf) *Buf { cache.Put([]*Buf{b}); return cache.GetOne() },
		"reset":      func(b *Buf) *Buf { b.Reset(); return b },
		"clear":      func(b *Buf) *Buf { b.ClearOffload(); return b },
		"deliver":    func(b *Buf) *Buf { Driver(b).Deliver(DriverViewOf(128, 60)); return b },
		"not held":   func(b *Buf) *Buf { Driver(b).Consume(); return b },
		"clear that": func(b *Buf) *Buf { Driver(b).Consume(); b.ClearOffload(); return b },
	} {
		b := pool.GetOne()
		Driver(b).Describe(&record)
		if hash, report := b.Hash(); hash != 1 || report != virtio.HashReportTCPv4 ||
			b.Checksum() != ChecksumGood || b.SegmentSize() != 9 || b.Segmentation() != SegmentTCPv4 {
			t.Fatalf("not described: %+v", b.offload())
		}
		b = forget(b)
		if hash, report := b.Hash(); hash != 0 || report != 0 || b.Checksum() != 0 ||
			b.SegmentSize() != 0 || b.Segmentation() != 0 || Driver(b).Request() != nil {
			t.Errorf("%s: something is left", name)
		}
		Driver(b).Deliver(pool.empty)
		b.Free()
		cache.Flush()
	}
}

// TestOffloadErrors asks for what no packet can have. Nothing is changed.
func TestOffloadErrors(t *testing.T) {
	pool := newPool(t, Config{Count: 8})
	frame := func(change func(p *inettest.Packet)) []byte {
		p := inettest.Packet{Payload: make([]byte, 40)}
		change(&p)
		return p.Blank()
	}
	good := frame(func(*inettest.Packet) {})
	edit := func(at int, v byte) []byte { return append(append(good[:at:at], v), good[at+1:]...) }
	checksum := func(b *Buf) error { return b.PrepareChecksum() }
	request := func(start, offset int) func(*Buf) error {
		return func(b *Buf) error { return b.RequestChecksum(start, offset) }
	}
	segment := func(kind Segmentation, start, size int) func(*Buf) error {
		return func(b *Buf) error { return b.RequestSegmentation(kind, start, size) }
	}
	for name, c := range map[string]struct {
		frame   []byte
		request func(*Buf) error
		reason  string
	}{
		"ARP":             {edit(13, 6), checksum, "neither IPv4 nor IPv6"},
		"short":           {good[:13], checksum, "no type"},
		"IPv4 header":     {edit(14, 0x44), checksum, "IPv4 header of 16 bytes"},
		"version":         {edit(14, 0x55), checksum, "not complete"},
		"fragment":        {edit(20, 0x20), checksum, "fragment"},
		"fragment offset": {edit(21, 1), checksum, "fragment"},
		"ICMP":            {edit(23, 1), checksum, "protocol 1"},
		"TCP header":      {edit(46, 0x40), checksum, "TCP header of 16 bytes"},
		"long":            {good[:60], checksum, "ends at byte 94"},
		"padding":         {append(good, 0, 1), checksum, "behind the IP packet"},
		"IPv6 fragment": {frame(func(p *inettest.Packet) {
			p.V6, p.Extensions = true, []byte{44}
		}), checksum, "fragment"},
		"extensions": {frame(func(p *inettest.Packet) {
			p.V6, p.Extensions = true, bytes.Repeat([]byte{60}, 17)
		}), checksum, "too many"},
		"negative":       {good, request(-1, 16), "94 bytes"},
		"start":          {good, request(94, 0), "94 bytes"},
		"offset":         {good, request(34, 59), "60 bytes"},
		"no offset":      {good, request(34, -1), "60 bytes"},
		"kind":           {good, segment(SegmentNone, 34, 100), "cut that way"},
		"UFO":            {good, segment(virtio.GSOUDP, 34, 100), "cut that way"},
		"size 0":         {good, segment(SegmentTCPv4, 34, 0), "not between"},
		"size 65536":     {good, segment(SegmentTCPv4, 34, 65536), "not between"},
		"segment start":  {good, segment(SegmentTCPv4, 77, 100), "17 bytes"},
		"prepare size 0": {good, func(b *Buf) error { return b.PrepareSegmentation(0) }, "not between"},
	} {
		b := pool.GetOne()
		copy(b.Append(len(c.frame)), c.frame)
		err := c.request(b)
		var typed *Error
		if !errors.As(err, &typed) || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: %v, want %q", name, err, c.reason)
		}
		if Driver(b).Request() != nil || !bytes.Equal(b.Data(), c.frame) {
			t.Errorf("%s: something was changed", name)
		}
		b.Free()
		if err := c.request(b); err == nil {
			t.Errorf("%s: a request for a packet that is not held", name)
		}
	}
}

// TestVLANBounds inserts and strips tags where there is no room, and no tag.
func TestVLANBounds(t *testing.T) {
	pool := newPool(t, Config{Count: 2})
	b := pool.GetOne()
	if _, ok := b.StripVLAN(); ok || b.InsertVLAN(1) {
		t.Error("a tag in an empty packet")
	}
	copy(b.Append(60), inettest.Packet{Tags: 2}.Frame())
	frame := bytes.Clone(b.Data())
	b.Prepend(b.Headroom() - 3)
	if b.InsertVLAN(1) {
		t.Error("a tag without headroom")
	}
	b.Adj(b.Len() - 60)
	for i := range 3 {
		tci, ok := b.StripVLAN()
		if ok != (i < 2) || ok && tci != uint16(i+1) {
			t.Errorf("tag %d: %d, %v", i, tci, ok)
		}
	}
	if !b.InsertVLAN(2) || !b.InsertVLAN(1) || !bytes.Equal(b.Data(), frame) {
		t.Errorf("% x, want % x", b.Data(), frame)
	}
	b.Free()
	if _, ok := b.StripVLAN(); ok || b.InsertVLAN(1) {
		t.Error("a tag in a packet that is not held")
	}
}

// FuzzTransport parses arbitrary frames, cut at an arbitrary byte into two segments: what is
// found lies inside the packet, and is the same in one segment.
func FuzzTransport(f *testing.F) {
	f.Add(inettest.Packet{Payload: make([]byte, 20)}.Frame(), 30, 10)
	f.Add(inettest.Packet{V6: true, Extensions: []byte{0, 43}, UDP: true, Tags: 1}.Frame(), 60, 1)
	pool := newPool(f, Config{Count: 1024})
	cache := pool.NewCache(8)
	f.Fuzz(func(t *testing.T, frame []byte, cut, size int) {
		if len(frame) > 2000 {
			return
		}
		cut = min(max(cut, 0), len(frame))
		b, tail := pool.GetOne(), pool.GetOne()
		copy(b.Append(cut), frame)
		copy(tail.Append(len(frame)-cut), frame[cut:])
		b.SetNext(tail)
		defer b.Free()
		var h, one DriverTransport
		ok := Driver(b).Transport(&h, b.PacketLen())
		if reason := one.parse(frame, len(frame)); (reason == "") != ok || ok && one != h {
			t.Fatalf("%+v and %+v, %q", h, one, reason)
		}
		if h.parseUsual(frame, len(frame)) && (!ok || one != h) {
			t.Fatalf("%+v and, as most packets are, %+v", one, h)
		}
		if !ok {
			if b.PrepareChecksum() == nil || b.PrepareSegmentation(1) == nil {
				t.Fatal("a request without a header")
			}
			return
		}
		if h.IP < 14 || h.IP+20 > h.Start || h.Start+8 > h.Payload || h.Payload > h.End ||
			h.End > len(frame) {
			t.Fatalf("%+v in %d bytes", h, len(frame))
		}
		if b.PrepareSegmentation(max(size, 1)) != nil || h.End == h.Payload || h.End != len(frame) {
			return
		}
		size = max(b.SegmentSize(), (h.End-h.Payload+99)/100)
		frames := make([]*Buf, (h.End-h.Payload+size-1)/size)
		if !(*DriverCache)(cache).Segment(b, &h, size, frames) {
			t.Fatal("too few buffers")
		}
		cache.Put(frames)
	})
}
