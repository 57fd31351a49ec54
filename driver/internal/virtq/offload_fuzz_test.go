package virtq

import (
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/inettest"
)

// FuzzHeader receives a packet with an arbitrary header, in one buffer or several, and sends it
// on a queue with offloads and on one without. What is delivered lies inside the packet,
// what is sent obeys the rules for headers, and no buffer is lost.
func FuzzHeader(f *testing.F) {
	tcp := inettest.Packet{Payload: make([]byte, 4000)}.Partial()
	header := func(flags, gso byte, fields ...uint16) []byte {
		h := make([]byte, 20)
		h[0], h[1] = flags, gso
		for i, v := range fields {
			le.PutUint16(h[2+2*i:], v)
		}
		return h
	}
	f.Add(header(1, 0, 0, 0, 34, 16), tcp[:1000], false)
	f.Add(header(1, 1, 54, 1000, 34, 16), tcp, true)
	f.Add(header(1, 1, 54, 1, 34, 16), tcp, true)
	f.Add(header(2, 5, 54, 1000, 34, 16), inettest.Packet{UDP: true, V6: true, Payload: make([]byte, 3000)}.Frame(), false)
	f.Add(header(3, 4, 9, 9, 9, 9), tcp[:200], true)
	f.Add(header(5, 1, 54, 1000, 4, 0), tcp, false)
	f.Add(header(4, 1, 0, 0, 3, 9), tcp, true)
	rx := newRxRig(f, setup{packed: true, size: 64, bufs: 1024, features: feats(virtio.NetMrgRxbuf,
		virtio.NetGuestCSUM, virtio.NetGuestTSO4, virtio.NetGuestTSO6, virtio.NetGuestUSO4, virtio.NetHashReport,
		virtio.NetRSCExt)})
	queues := []*rig{
		newTxRig(f, setup{packed: true, size: 128, bufs: 512, maxFrame: 1514, segments: 8, features: append(feats(
			virtio.RingIndirectDesc), hostLarge...)}),
		newTxRig(f, setup{size: 128, bufs: 512, maxFrame: 1514}),
	}
	for _, tx := range queues {
		if err := tx.tx.AddPool(rx.pool); err != nil {
			f.Fatal(err)
		}
		for at, p := range rx.mem.pages {
			tx.mem.pages[at] = p
		}
	}
	f.Fuzz(func(t *testing.T, header, frame []byte, plain bool) {
		if len(header) != 20 || len(frame) < minFrame || len(frame) > 20_000 {
			return
		}
		b := rx.receiveBehind(t, header, frame)
		if b == nil {
			rx.conserved(0)
			return
		}
		if start, offset, ok := b.PartialChecksum(); ok && (start < 0 || start+offset+2 > b.PacketLen()) ||
			(b.Segmentation() == mbuf.SegmentNone) != (b.SegmentSize() == 0) {
			t.Fatalf("the sum from %d, its field %d further, of %d bytes; %v of %d", start, offset, b.PacketLen(),
				b.Segmentation(), b.SegmentSize())
		}
		if segments, _, ok := b.Coalesced(); ok && (segments == 0 || b.Segmentation() == mbuf.SegmentNone) {
			t.Fatalf("%d segments of a packet of %v", segments, b.Segmentation())
		}
		tx := queues[b2i(plain)]
		tx.t = t
		if tx.tx.Burst([]*mbuf.Buf{b}) != 1 {
			t.Fatal("not taken")
		}
		for _, s := range tx.takeSent(12) {
			checkSent(t, s, plain)
		}
		tx.tx.Reclaim()
		tx.conserved(0)
		rx.conserved(0)
	})
}

// receiveBehind receives a frame behind a header, nil if the header is invalid.
func (r *rig) receiveBehind(t *testing.T, header, frame []byte) *mbuf.Buf {
	r.t = t
	data := append(header[:20:20], frame...)
	le.PutUint16(data[10:], uint16((len(data)+2067)/2068))
	for len(data) > 0 {
		l, ok := r.dev.pop()
		if !ok || l.bytes(true) != 2068 {
			t.Fatalf("buffers of %d bytes", l.bytes(true))
		}
		n := r.device().write(l, data)
		r.dev.push(l.id, uint32(n), 1)
		data = data[n:]
	}
	r.dev.flush()
	bufs := make([]*mbuf.Buf, 2)
	if r.rx.Burst(bufs) == 0 {
		return nil
	}
	return bufs[0]
}

// checkSent checks the header and the length of a transmitted packet.
func checkSent(t *testing.T, s sent, plain bool) {
	flags, gso, start, offset := s.header[0], s.header[1]&^virtio.GSOECN, s.field(6), s.field(8)
	switch {
	case s.field(10) != 0 || flags&^1 != 0 || plain && (flags|gso) != 0:
		t.Fatalf("header % x", s.header)
	case flags == 1 && start+offset+2 > len(s.frame):
		t.Fatalf("header % x for %d bytes", s.header, len(s.frame))
	case gso != 0 && (flags != 1 || s.field(4) == 0 || s.field(2) <= start || s.field(2) >= len(s.frame)):
		t.Fatalf("header % x for %d bytes", s.header, len(s.frame))
	case gso != 0 && s.field(2)+s.field(4) > 1518 || gso == 0 && len(s.frame) > 1518:
		t.Fatalf("header % x for %d bytes: frames of more than 1514", s.header, len(s.frame))
	}
}
