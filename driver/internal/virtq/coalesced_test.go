package virtq

import (
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/inettest"
)

// TestCoalesced receives packets that a device says to have merged, and others. With RSC_INFO
// csum_start and csum_offset are counts, and the checksum is where the headers say
// (net/rx/2, x/net/rsc).
func TestCoalesced(t *testing.T) { kinds(t, testCoalesced) }

func testCoalesced(t *testing.T, packed bool) {
	without := feats(virtio.NetGuestCSUM, virtio.NetGuestTSO4, virtio.NetGuestUSO4, virtio.NetMrgRxbuf)
	with := append(feats(virtio.NetRSCExt), without...)
	tcp := inettest.Packet{Tags: 1, TCPOptions: 12, Payload: make([]byte, 301)}
	udp := inettest.Packet{UDP: true, Payload: make([]byte, 301)}
	empty := inettest.Packet{}
	type want struct {
		state          mbuf.ChecksumState
		kind           mbuf.Segmentation
		size           int
		segments, acks int
		bad            bool
	}
	for name, c := range map[string]struct {
		features             []virtio.Feature
		packet               inettest.Packet
		flags, gso           byte
		size, segments, acks uint16
		want                 want
	}{
		"partial":           {with, tcp, 5, 1, 100, 4, 2, want{mbuf.ChecksumPartial, mbuf.SegmentTCPv4, 100, 4, 2, false}},
		"of UDP":            {with, udp, 5, 5, 100, 4, 0, want{mbuf.ChecksumPartial, mbuf.SegmentUDP, 100, 4, 0, false}},
		"with ECN":          {with, tcp, 5, 0x81, 7, 0xffff, 0xffff, want{mbuf.ChecksumPartial, mbuf.SegmentTCPv4, 7, 0xffff, 0xffff, false}},
		"good":              {with, tcp, 6, 1, 100, 4, 0, want{mbuf.ChecksumGood, mbuf.SegmentTCPv4, 100, 4, 0, false}},
		"as QEMU does":      {with, tcp, 4, 1, 0, 4, 1, want{mbuf.ChecksumUnknown, mbuf.SegmentTCPv4, 76, 4, 1, false}},
		"one segment":       {with, tcp, 4, 1, 0, 1, 0, want{mbuf.ChecksumUnknown, mbuf.SegmentTCPv4, 301, 1, 0, false}},
		"no segments":       {with, tcp, 5, 1, 100, 0, 0, want{bad: true}},
		"no payload":        {with, empty, 5, 1, 100, 4, 0, want{bad: true}},
		"another packet":    {with, udp, 5, 1, 100, 4, 0, want{bad: true}},
		"not negotiated 6":  {with, tcp, 5, 4, 100, 4, 0, want{bad: true}},
		"not merged":        {with, tcp, 5, 0, 0, 4, 2, want{}},
		"without RSC_INFO":  {with, tcp, 1, 1, 100, 38, 16, want{mbuf.ChecksumPartial, mbuf.SegmentTCPv4, 100, 0, 0, false}},
		"without, size 0":   {with, tcp, 1, 1, 0, 38, 16, want{bad: true}},
		"not negotiated":    {without, tcp, 5, 1, 100, 4, 2, want{mbuf.ChecksumUnknown, mbuf.SegmentTCPv4, 100, 0, 0, false}},
		"not negotiated, 0": {without, tcp, 5, 1, 0, 4, 2, want{bad: true}},
	} {
		r := newRxRig(t, setup{packed: packed, size: 4, features: c.features, bufs: 16})
		header := make([]byte, 20)
		header[0], header[1] = c.flags, c.gso
		for i, v := range []uint16{0xffff, c.size, c.segments, c.acks} {
			le.PutUint16(header[2+2*i:], v)
		}
		l, _ := r.dev.pop()
		le.PutUint16(header[10:], 1)
		n := r.device().write(l, append(header[:virtio.NetHeaderLen:virtio.NetHeaderLen], c.packet.Partial()...))
		r.dev.push(l.id, uint32(n), 1)
		r.dev.flush()
		bufs := make([]*mbuf.Buf, 4)
		got := r.rx.Burst(bufs)
		if st := r.rx.Stats(); c.want.bad {
			if got != 0 || st.OffloadErrors.Load() != 1 || st.Dropped() != 1 {
				t.Errorf("%s: %d packets, %d errors", name, got, st.OffloadErrors.Load())
			}
			r.conserved(0)
			continue
		}
		if got != 1 {
			t.Fatalf("%s: %d packets", name, got)
		}
		b := bufs[0]
		segments, acks, ok := b.Coalesced()
		if s := (want{b.Checksum(), b.Segmentation(), b.SegmentSize(), segments, acks, false}); s != c.want || ok != (segments != 0) {
			t.Errorf("%s: %+v, %v, want %+v", name, s, ok, c.want)
		}
		if start, offset, ok := b.PartialChecksum(); ok && (start != c.packet.Start() || offset != 16 && !c.packet.UDP || offset != 6 && c.packet.UDP) {
			t.Errorf("%s: the sum begins at %d, its field is %d behind", name, start, offset)
		}
		r.cache.Put(bufs[:1])
		r.conserved(0)
	}
}
