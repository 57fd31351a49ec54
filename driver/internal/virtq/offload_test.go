package virtq

import (
	"bytes"
	"fmt"
	"maps"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
	"github.com/virtio-pmd/virtio-pmd/test/inettest"
)

func TestOffloadConformance(t *testing.T) {
	for name, test := range map[string]func(*testing.T, bool){
		"net/tx/1":    testHashHeaderSent,
		"net/tx/4":    testSoftwareChecksum,
		"net/tx/5":    testSoftwareSegments,
		"net/tx/6":    testSoftwareSegments,
		"net/tx/8":    testSoftwareSegments,
		"net/tx/9":    testECN,
		"net/tx/10":   testECN,
		"net/tx/12":   testChecksumSent,
		"net/tx/13":   testChecksumSent,
		"net/tx/15":   testLargeSent,
		"net/tx/16":   testLargeSent,
		"net/tx/17":   testLargeSent,
		"net/rxbuf/1": testLargeRoom,
		"net/rx/1":    testDescribed,
		"net/rx/2":    testDescribed,
		"net/rx/4":    testDescribed,
	} {
		t.Run(name, func(t *testing.T) { kinds(t, test) })
	}
}

// sent is a transmitted packet as the device finds it.
type sent struct {
	header []byte
	frame  []byte
	slots  int
}

// field returns a 16-bit field of the header.
func (s sent) field(at int) int { return int(le.Uint16(s.header[at:])) }

// takeSent takes everything that is available and marks it used.
func (r *rig) takeSent(headerLen int) []sent {
	r.t.Helper()
	var all []sent
	for _, l := range r.popAll() {
		data := r.device().read(l)
		all = append(all, sent{data[:headerLen], data[headerLen:], l.slots})
		r.dev.push(l.id, 0, l.slots)
	}
	r.dev.flush()
	r.ok()
	return all
}

// inSegments makes a packet of a frame, of which the first segments have these lengths.
func (r *rig) inSegments(frame []byte, lengths ...int) *mbuf.Buf {
	r.t.Helper()
	var first, last *mbuf.Buf
	for i := 0; first == nil || len(frame) > 0; i++ {
		b := r.cache.GetOne()
		if b == nil {
			r.t.Fatal("too few buffers")
		}
		n := min(len(frame), b.Tailroom())
		if i < len(lengths) {
			n = min(n, lengths[i])
		}
		copy(b.Append(n), frame[:n])
		frame = frame[n:]
		if first == nil {
			first = b
		} else {
			last.SetNext(b)
		}
		last = b
	}
	return first
}

// shapes are packets of the headers that there are.
func shapes(payload int) []inettest.Packet {
	data := frametest.Seq(1, payload+20)[20:]
	var all []inettest.Packet
	for i := range 16 {
		p := inettest.Packet{V6: i&1 != 0, UDP: i&2 != 0, Tags: i >> 2 & 1, ID: 0xfffe, Seq: 1<<32 - 100,
			Flags: 0x19, Payload: data}
		if i&8 != 0 {
			p.Options, p.TCPOptions, p.Extensions = 4, 12, []byte{0, 60}
			if p.V6 {
				p.Options = 0
			} else {
				p.Extensions = nil
			}
			if p.UDP {
				p.TCPOptions = 0
			}
		}
		all = append(all, p)
	}
	return all
}

// headrooms are the lengths of headroom that packets are sent with: enough for a header,
// and not.
var headrooms = []int{128, 20, 19, 12, 11, 0}

// testChecksumSent sends packets with a checksum to be completed, in one segment and in
// several, with and without room for the header. The device completes it.
func testChecksumSent(t *testing.T, packed bool) {
	for _, features := range [][]virtio.Feature{
		feats(virtio.NetCSUM), feats(virtio.NetCSUM, virtio.NetHashReport),
		feats(virtio.NetCSUM, virtio.RingIndirectDesc),
	} {
		r := newTxRig(t, setup{packed: packed, size: 16, segments: 8, features: features, maxFrame: 1514})
		length := virtio.HeaderLen(virtio.FeatureSet(features...))
		sum := uint64(0)
		for i, p := range shapes(301) {
			for _, headroom := range headrooms {
				for _, segments := range [][]int{nil, {10}, {p.Start() + 3}, {60, 0, 7}} {
					b := r.inSegments(p.Blank(), segments...)
					dirty := b.Prepend(b.Headroom())
					for j := range dirty {
						dirty[j] = 0xee
					}
					b.Adj(len(dirty))
					moveFront(b, headroom)
					if err := b.PrepareChecksum(); err != nil {
						t.Fatal(err)
					}
					if r.tx.Burst([]*mbuf.Buf{b}) != 1 {
						t.Fatal("not taken")
					}
					all := r.takeSent(length)
					want := make([]byte, length)
					want[0] = 1
					le.PutUint16(want[6:], uint16(p.Start()))
					le.PutUint16(want[8:], uint16(p.Field()))
					if len(all) != 1 || !bytes.Equal(all[0].header, want) ||
						!bytes.Equal(all[0].frame, p.Partial()) {
						t.Fatalf("%d, headroom %d, segments %v: %x, want header % x", i, headroom, segments,
							all, want)
					}
					inettest.CompleteSum(all[0].frame, all[0].field(6), all[0].field(8))
					if !bytes.Equal(all[0].frame, p.Frame()) {
						t.Fatal("the completed checksum is wrong")
					}
					sum++
					r.conserved(0)
				}
			}
		}
		if st := r.tx.Stats(); st.Checksums.Load() != sum || st.Packets.Load() != sum || st.Dropped() != 0 {
			t.Errorf("%d packets, %d checksums, %d dropped, want %d", st.Packets.Load(), st.Checksums.Load(),
				st.Dropped(), sum)
		}
	}
}

// moveFront moves the data of the first segment so that it begins at an offset.
func moveFront(b *mbuf.Buf, headroom int) {
	data := bytes.Clone(b.Data())
	b.Trim(len(data))
	b.Append(b.Tailroom())
	b.Prepend(b.Headroom())
	b.Adj(headroom)
	b.Trim(b.Len() - len(data))
	copy(b.Data(), data)
}

// testHashHeaderSent sends plain packets behind the long header, on the fast path: it is
// all zeros.
func testHashHeaderSent(t *testing.T, packed bool) {
	r := newTxRig(t, setup{packed: packed, size: 16, features: feats(virtio.NetHashReport)})
	for range 3 {
		bufs := r.packets(16, 64)
		for _, b := range bufs {
			copy(b.Prepend(20), bytes.Repeat([]byte{0xee}, 20))
			b.Adj(20)
		}
		if r.tx.Burst(bufs) != 16 || r.tx.special != 0 {
			t.Fatal("not on the fast path")
		}
		for i, s := range r.takeSent(20) {
			if !bytes.Equal(s.header, make([]byte, 20)) || !bytes.Equal(s.frame, frametest.Seq(i, 64)) {
				t.Fatalf("% x % x", s.header, s.frame)
			}
		}
		r.conserved(0)
	}
}

// testSoftwareChecksum sends packets with a checksum to be completed to a device that
// cannot do that.
func testSoftwareChecksum(t *testing.T, packed bool) {
	r := newTxRig(t, setup{packed: packed, size: 16, segments: 8, maxFrame: 1514})
	for _, p := range shapes(301) {
		for _, segments := range [][]int{nil, {p.Start() + 17, 8}} {
			b := r.inSegments(p.Blank(), segments...)
			if err := b.PrepareChecksum(); err != nil {
				t.Fatal(err)
			}
			if r.tx.Burst([]*mbuf.Buf{b}) != 1 {
				t.Fatal("not taken")
			}
			all := r.takeSent(12)
			if len(all) != 1 || !bytes.Equal(all[0].header, make([]byte, 12)) ||
				!bytes.Equal(all[0].frame, p.Frame()) {
				t.Fatalf("%x, want % x", all, p.Frame())
			}
			r.conserved(0)
		}
	}
	if st := r.tx.Stats(); st.SoftwareChecksums.Load() != 32 || st.Checksums.Load() != 0 {
		t.Errorf("%d checksums in software", st.SoftwareChecksums.Load())
	}
}

var hostLarge = feats(virtio.NetCSUM, virtio.NetHostTSO4, virtio.NetHostTSO6, virtio.NetHostUSO)

// testLargeSent sends packets that the device is to cut into frames.
func testLargeSent(t *testing.T, packed bool) {
	for _, more := range [][]virtio.Feature{nil, feats(virtio.RingIndirectDesc), feats(virtio.NetHashReport)} {
		features := append(more, hostLarge...)
		r := newTxRig(t, setup{packed: packed, size: 64, bufs: 200, segments: 36, features: features,
			maxFrame: 1514})
		length := virtio.HeaderLen(virtio.FeatureSet(features...))
		for _, payload := range []int{1001, 9000, 65000} {
			for _, p := range shapes(payload) {
				const size = 1000
				b := r.inSegments(p.Blank(), p.HeadersLen())
				if err := b.PrepareSegmentation(size); err != nil {
					t.Fatal(err)
				}
				if r.tx.Burst([]*mbuf.Buf{b}) != 1 {
					t.Fatal("not taken")
				}
				want := make([]byte, length)
				want[0], want[1] = 1, map[bool]byte{false: 1, true: 4}[p.V6]
				if p.UDP {
					want[1] = 5
				}
				for i, v := range []int{p.HeadersLen(), size, p.Start(), p.Field()} {
					le.PutUint16(want[2+2*i:], uint16(v))
				}
				all := r.takeSent(length)
				if len(all) != 1 || !bytes.Equal(all[0].header, want) || !bytes.Equal(all[0].frame, p.Partial()) {
					t.Fatalf("%+v: %d packets, header % x, want % x", p, len(all), all[0].header, want)
				}
				r.conserved(0)
			}
		}
		if st := r.tx.Stats(); st.LargePackets.Load() != 48 || st.Dropped() != 0 || st.Packets.Load() != 48 {
			t.Errorf("%d large packets, %d dropped", st.LargePackets.Load(), st.Dropped())
		}
	}
}

// testSoftwareSegments sends packets that are to be cut to devices that cannot, or can do
// nothing but complete checksums.
func testSoftwareSegments(t *testing.T, packed bool) {
	for _, features := range [][]virtio.Feature{nil, feats(virtio.NetCSUM), feats(virtio.RingIndirectDesc)} {
		r := newTxRig(t, setup{packed: packed, size: 128, bufs: 300, segments: 4, features: features,
			maxFrame: 1514})
		packets := uint64(0)
		for _, p := range shapes(60_000) {
			b := r.inSegments(p.Blank(), 100)
			if err := b.PrepareSegmentation(1000); err != nil {
				t.Fatal(err)
			}
			plain := r.packets(1, 60)[0]
			if r.tx.Burst([]*mbuf.Buf{b, plain}) != 2 {
				t.Fatal("not taken")
			}
			packets += 2
			all := r.takeSent(12)
			if len(all) != 61 {
				t.Fatalf("%d frames, want 60 and one", len(all))
			}
			var payload []byte
			for i, s := range all[:60] {
				if want := features != nil && features[0] == virtio.NetCSUM; want != (s.header[0] == 1) || s.header[1] != 0 {
					t.Fatalf("header % x", s.header)
				}
				if s.header[0] == 1 {
					inettest.CompleteSum(s.frame, s.field(6), s.field(8))
				}
				q, err := inettest.Parse(s.frame)
				if err != nil || len(q.Payload) != 1000 || !p.V6 && q.ID != p.ID+uint16(i) ||
					!p.UDP && q.Seq != p.Seq+uint32(len(payload)) {
					t.Fatalf("frame %d: %+v, %v", i, q, err)
				}
				payload = append(payload, q.Payload...)
			}
			if !bytes.Equal(payload, p.Payload) {
				t.Fatal("not the payload")
			}
			r.conserved(0)
		}
		if st := r.tx.Stats(); st.Packets.Load() != packets || st.SoftwareLarge.Load() != packets/2 ||
			st.SoftwareFrames.Load() != 30*packets || st.Dropped() != 0 {
			t.Errorf("%d packets, %d cut into %d frames, %d dropped, want %d packets", st.Packets.Load(),
				st.SoftwareLarge.Load(), st.SoftwareFrames.Load(), st.Dropped(), packets)
		}
	}
}

// testECN sends a large TCP packet with CWR: with HOST_ECN its header says so, without it is
// cut in software.
func testECN(t *testing.T, packed bool) {
	p := inettest.Packet{Flags: 0x90, Payload: make([]byte, 3000)}
	for _, ecn := range []bool{false, true} {
		features := hostLarge
		if ecn {
			features = append(features[:len(features):len(features)], virtio.NetHostECN)
		}
		r := newTxRig(t, setup{packed: packed, size: 16, features: features})
		b := r.inSegments(p.Blank())
		if err := b.PrepareSegmentation(1000); err != nil {
			t.Fatal(err)
		}
		r.tx.Burst([]*mbuf.Buf{b})
		all := r.takeSent(12)
		if ecn && (len(all) != 1 || all[0].header[1] != 0x81) || !ecn && len(all) != 3 {
			t.Errorf("HOST_ECN %v: %x", ecn, all)
		}
	}
}

// TestRequestDropped sends requests that no packet can have: they are counted and freed.
func TestRequestDropped(t *testing.T) {
	p := inettest.Packet{Payload: make([]byte, 3000)}
	for name, c := range map[string]struct {
		request func(b *mbuf.Buf)
		length  bool
	}{
		"checksum behind the end": {func(b *mbuf.Buf) { check(t, b.RequestChecksum(34, 3018)); b.Trim(1) }, false},
		"start before the packet": {func(b *mbuf.Buf) { check(t, b.RequestChecksum(34, 16)); b.Adj(35) }, false},
		"not TCP": {func(b *mbuf.Buf) {
			check(t, b.PrepareSegmentation(1000))
			b.Data()[23] = 17
		}, false},
		"shorter than the IP packet": {func(b *mbuf.Buf) { check(t, b.PrepareSegmentation(1000)); b.Trim(1) }, false},
		"longer than the IP packet":  {func(b *mbuf.Buf) { check(t, b.PrepareSegmentation(1000)); b.Append(1) }, false},
		"segments longer than MTU":   {func(b *mbuf.Buf) { check(t, b.PrepareSegmentation(1461)) }, true},
		"longer than MTU":            {func(b *mbuf.Buf) { check(t, b.PrepareChecksum()) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			kinds(t, func(t *testing.T, packed bool) {
				for _, features := range [][]virtio.Feature{nil, hostLarge,
					append(feats(virtio.RingIndirectDesc), hostLarge...)} {
					r := newTxRig(t, setup{packed: packed, size: 16, features: features, maxFrame: 1514,
						dataRoom: 4000, segments: 4})
					b := r.inSegments(p.Blank(), 2000) // in an indirect table, if there is one
					if name[0] == 'c' || name[0] == 's' && name[1] == 't' {
						r.tx.fast.span = 4000
					}
					c.request(b)
					if r.tx.Burst([]*mbuf.Buf{b}) != 1 || len(r.takeSent(12)) != 0 {
						t.Fatal("not taken, or sent")
					}
					st := r.tx.Stats()
					if st.Dropped() != 1 || st.LengthDrops.Load() != uint64(b2i(c.length)) ||
						st.OffloadDrops.Load() != uint64(1-b2i(c.length)) || st.Packets.Load() != 0 {
						t.Errorf("dropped %d, for its length %d, its request %d", st.Dropped(),
							st.LengthDrops.Load(), st.OffloadDrops.Load())
					}
					r.conserved(0)
				}
			})
		})
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// testDescribed receives packets behind headers of all kinds.
func testDescribed(t *testing.T, packed bool) {
	p := inettest.Packet{Payload: make([]byte, 100)}
	frame := p.Partial()
	type want struct {
		state mbuf.ChecksumState
		kind  mbuf.Segmentation
		size  int
		bad   bool
	}
	guest := feats(virtio.NetGuestCSUM, virtio.NetGuestTSO4, virtio.NetMrgRxbuf)
	for name, c := range map[string]struct {
		features          []virtio.Feature
		flags, gso        byte
		size, start, offs uint16
		want              want
	}{
		"nothing":         {guest, 0, 0, 0, 0, 0, want{}},
		"good":            {guest, 2, 0, 0, 0, 0, want{state: mbuf.ChecksumGood}},
		"partial":         {guest, 1, 0, 0, 34, 16, want{state: mbuf.ChecksumPartial}},
		"both":            {guest, 3, 0, 0, 34, 16, want{state: mbuf.ChecksumPartial}},
		"unknown flags":   {guest, 0xf8, 0, 0, 34, 16, want{}},
		"all flags":       {guest, 0xff, 0, 0, 34, 16, want{state: mbuf.ChecksumGood}},
		"counts":          {guest, 5, 0, 0, 0xffff, 0xffff, want{}},
		"start clear":     {guest, 2, 0, 0, 0xffff, 0xffff, want{state: mbuf.ChecksumGood}},
		"last field":      {guest, 1, 0, 0, uint16(len(frame) - 2), 0, want{state: mbuf.ChecksumPartial}},
		"start behind":    {guest, 1, 0, 0, uint16(len(frame) - 1), 0, want{bad: true}},
		"offset behind":   {guest, 1, 0, 0, 34, uint16(len(frame) - 35), want{bad: true}},
		"far behind":      {guest, 1, 0, 0, 0xffff, 0xffff, want{bad: true}},
		"large":           {guest, 1, 1, 1000, 34, 16, want{mbuf.ChecksumPartial, mbuf.SegmentTCPv4, 1000, false}},
		"large with ECN":  {guest, 1, 0x81, 1, 34, 16, want{mbuf.ChecksumPartial, mbuf.SegmentTCPv4, 1, false}},
		"large and good":  {guest, 2, 1, 9, 0, 0, want{mbuf.ChecksumGood, mbuf.SegmentTCPv4, 9, false}},
		"segments of 0":   {guest, 1, 1, 0, 34, 16, want{bad: true}},
		"other kind":      {guest, 1, 4, 1000, 34, 16, want{bad: true}},
		"UFO":             {guest, 1, 3, 1000, 34, 16, want{bad: true}},
		"unknown kind":    {guest, 1, 2, 1000, 34, 16, want{bad: true}},
		"unknown kind 9":  {guest, 1, 9, 1000, 34, 16, want{bad: true}},
		"unknown kind 7f": {guest, 1, 0x7f, 1000, 34, 16, want{bad: true}},
		"not negotiated":  {feats(virtio.NetGuestTSO4), 0xff, 0xff, 0xffff, 0xffff, 0xffff, want{}},
	} {
		r := newRxRig(t, setup{packed: packed, size: 4, features: c.features, bufs: 16})
		l, _ := r.dev.pop()
		h := netHeader(1)
		h[0], h[1] = c.flags, c.gso
		for i, v := range []uint16{0xffff, c.size, c.start, c.offs} {
			le.PutUint16(h[2+2*i:], v)
		}
		n := r.device().write(l, append(h, frame...))
		r.dev.push(l.id, uint32(n), 1)
		r.dev.flush()
		bufs := make([]*mbuf.Buf, 4)
		got := r.rx.Burst(bufs)
		st := r.rx.Stats()
		if c.want.bad {
			if got != 0 || st.OffloadErrors.Load() != 1 || st.Dropped() != 1 || st.Packets.Load() != 0 ||
				st.Bytes.Load() != 0 {
				t.Errorf("%s: %d packets, %d errors", name, got, st.OffloadErrors.Load())
			}
			r.conserved(0)
			continue
		}
		if got != 1 || !bytes.Equal(bufs[0].Data(), frame) || st.Bytes.Load() != uint64(len(frame)) {
			t.Fatalf("%s: %d packets", name, got)
		}
		b := bufs[0]
		if s := (want{b.Checksum(), b.Segmentation(), b.SegmentSize(), false}); s != c.want {
			t.Errorf("%s: %+v, want %+v", name, s, c.want)
		}
		if start, offset, ok := b.PartialChecksum(); ok && (start != int(c.start) || offset != int(c.offs)) {
			t.Errorf("%s: sum from %d, field %d", name, start, offset)
		}
		r.cache.Put(bufs[:1])
		r.conserved(0)
	}
}

// TestHash receives packets with hashes, in one buffer and in several.
func TestHash(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		r := newRxRig(t, setup{packed: packed, size: 16, bufs: 64, dataRoom: 1000,
			features: feats(virtio.NetHashReport, virtio.NetMrgRxbuf)})
		bufs := make([]*mbuf.Buf, 4)
		for i := range 40 {
			report := i % 12
			frame := frametest.Seq(i, 60+i*40)
			h := make([]byte, 20)
			le.PutUint16(h[10:], uint16((len(frame)+20+1019)/1020))
			le.PutUint32(h[12:], uint32(i)*0x01010101)
			le.PutUint16(h[16:], uint16(report))
			data := append(h, frame...)
			for len(data) > 0 {
				l, ok := r.dev.pop()
				if !ok || l.bytes(true) != 1020 {
					t.Fatalf("%d bytes are available, want 1020", l.bytes(true))
				}
				n := r.device().write(l, data)
				r.dev.push(l.id, uint32(n), 1)
				data = data[n:]
			}
			r.dev.flush()
			if r.rx.Burst(bufs) != 1 || !bytes.Equal(frametest.Content(bufs[0]), frame) {
				t.Fatal("not received")
			}
			wantHash, wantReport := uint32(i)*0x01010101, virtio.HashReport(report)
			if report == 0 || report > 9 {
				wantHash, wantReport = 0, 0
			}
			if hash, got := bufs[0].Hash(); hash != wantHash || got != wantReport {
				t.Errorf("hash %#x of %d, want %#x of %d", hash, got, wantHash, wantReport)
			}
			r.cache.Put(bufs[:1])
			r.ok()
			r.conserved(0)
		}
	})
}

// testLargeRoom refuses buffers that a merged packet does not fit without MRG_RXBUF.
func testLargeRoom(t *testing.T, packed bool) {
	large := feats(virtio.NetGuestCSUM, virtio.NetGuestTSO6)
	for _, c := range []struct {
		features []virtio.Feature
		room     int
		refused  bool
	}{
		{large, 65588, true}, {large, 65589, false},
		{append(feats(virtio.NetMrgRxbuf), large...), 2048, false},
		{feats(virtio.NetGuestCSUM), 1514, false},
		{feats(virtio.NetGuestTSO6), 1514, false}, // not without GUEST_CSUM
	} {
		r, cfg := newRig(t, setup{packed: packed, size: 4, dataRoom: c.room, features: c.features, bufs: 8})
		q, err := NewRx(cfg, r.cache)
		if isError(err, "data room") != c.refused || (q == nil) != c.refused {
			t.Errorf("%v, data room %d: %v", c.features, c.room, err)
		}
	}
}

// TestLargeForwarded receives merged packets in chains, and sends them on a queue that can cut
// them, and on one that cannot.
func TestLargeForwarded(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		for _, c := range []struct {
			features []virtio.Feature
			flags    byte
		}{{hostLarge, 1}, {nil, 1}, {hostLarge, 2}, {nil, 2}} {
			t.Run(fmt.Sprint(c.features, c.flags), func(t *testing.T) {
				forwardLarge(t, packed, c.features, c.flags)
			})
		}
	})
}

func forwardLarge(t *testing.T, packed bool, features []virtio.Feature, flags byte) {
	rx := newRxRig(t, setup{packed: packed, size: 64, bufs: 256,
		features: feats(virtio.NetMrgRxbuf, virtio.NetGuestCSUM, virtio.NetGuestTSO4)})
	tx := newTxRig(t, setup{packed: packed, size: 64, features: features, maxFrame: 1514, bufs: 200})
	if err := tx.tx.AddPool(rx.pool); err != nil {
		t.Fatal(err)
	}
	maps.Copy(tx.mem.pages, rx.mem.pages)
	p := inettest.Packet{Payload: frametest.Seq(1, 50_000)}
	frame := p.Partial()
	if flags == 2 {
		frame = p.Frame()
	}
	h := netHeader(uint16((len(frame) + 12 + 2059) / 2060))
	h[0], h[1] = flags, 1
	for i, v := range []uint16{54, 1000, 34, 16} {
		le.PutUint16(h[2+2*i:], v)
	}
	for data := append(h, frame...); len(data) > 0; {
		l, ok := rx.dev.pop()
		if !ok {
			t.Fatal("too few buffers")
		}
		n := rx.device().write(l, data)
		rx.dev.push(l.id, uint32(n), 1)
		data = data[n:]
	}
	rx.dev.flush()
	bufs := make([]*mbuf.Buf, 4)
	if rx.rx.Burst(bufs) != 1 || !bytes.Equal(frametest.Content(bufs[0]), frame) {
		t.Fatal("not received")
	}
	if tx.tx.Burst(bufs[:1]) != 1 {
		t.Fatal("not taken")
	}
	all := tx.takeSent(12)
	if features != nil {
		if len(all) != 1 || !bytes.Equal(all[0].frame, p.Partial()) || !bytes.Equal(all[0].header[:10], append(
			[]byte{1}, h[1:10]...)) {
			t.Fatalf("%d packets, header % x", len(all), all[0].header)
		}
		return
	}
	if len(all) != 50 {
		t.Fatalf("%d frames, want 50", len(all))
	}
	for i, s := range all {
		if q, err := inettest.Parse(s.frame); err != nil || !bytes.Equal(q.Payload, p.Payload[i*1000:][:1000]) {
			t.Fatalf("frame %d: %v", i, err)
		}
	}
}
