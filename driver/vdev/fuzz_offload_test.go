package vdev

import (
	"bytes"
	"encoding/binary"
	"log/slog"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// tcpFrame is a TCP packet of n bytes of payload, without checksums.
func tcpFrame(v6 bool, n int) []byte {
	f := append(make([]byte, 12), 0x08, 0, 0x45, 0, 0, 0, 0, 1, 0, 0, 64, protoTCP, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8)
	if v6 {
		f = append(make([]byte, 12), 0x86, 0xdd, 0x60, 0, 0, 0, 0, 0, protoTCP, 64)
		f = append(f, make([]byte, 32)...)
	}
	f = append(f, 0, 1, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0x50, 0x18|tcpCWR, 0, 9, 0, 0, 0, 0)
	return append(f, make([]byte, n)...)
}

// FuzzOffloads: whatever a header and a frame say, a device stays inside the frame, and what it
// makes of a packet that it lets pass has right checksums and the same payload.
func FuzzOffloads(fz *testing.F) {
	header := func(gso uint8, hdrLen, size, start, offset byte) []byte {
		return []byte{virtio.NetHeaderNeedsCsum, gso, hdrLen, 0, size, 0, start, 0, offset, 0, 0, 0}
	}
	fz.Add(header(virtio.GSOTCPv4|virtio.GSOECN, 54, 7, 34, 16), tcpFrame(false, 30), uint32(0xffffffff))
	fz.Add(header(virtio.GSOTCPv6, 74, 7, 54, 16), tcpFrame(true, 30), uint32(0xffffffff))
	fz.Add(header(virtio.GSOUDPL4, 42, 7, 34, 6), append(tcpFrame(false, 30)[:23], append([]byte{protoUDP}, tcpFrame(false, 30)[24:]...)...), uint32(0xffffffff))
	fz.Add(header(virtio.GSONone, 0, 0, 34, 16), tcpFrame(false, 30), uint32(0xffffffff))
	fz.Fuzz(func(t *testing.T, header, frame []byte, features uint32) {
		if len(header) < virtio.NetHeaderLen || len(frame) < etherHeader || len(frame) > maxFrame {
			return
		}
		d := &core{log: slog.New(slog.DiscardHandler), net: netConfig{mtu: 1500}}
		d.accepted = virtio.FeatureSet(virtio.NetCSUM)
		for i, f := range allOffloads.With(virtio.NetMTU).List() {
			if features>>i&1 != 0 {
				d.accepted = d.accepted.With(f)
			}
		}
		q := &queue{dev: d}
		before := bytes.Clone(frame)
		o, ok := d.judge(q, header, frame)
		if !ok {
			if len(d.violations) == 0 {
				t.Fatal("a packet was refused without a reason")
			}
			return
		}
		if o == (Offload{}) {
			return
		}
		o.within(receiveOffloads, frame)
		received := o
		if !d.acceptable(frame, &received) || received != o {
			t.Fatalf("%+v is judged fit to transmit, but not to receive: %+v", o, received)
		}
		if o.GSOType == virtio.GSONone {
			b := bytes.Clone(frame)
			complete(b, o)
			at := int(o.CsumStart) + int(o.CsumOffset)
			if !bytes.Equal(b[:at], frame[:at]) || !bytes.Equal(b[at+2:], frame[at+2:]) {
				t.Fatal("more than the checksum changed")
			}
			return
		}
		checkCut(t, frame, o)
		if !bytes.Equal(frame, before) {
			t.Fatal("the frame was changed")
		}
	})
}

// checkCut cuts a frame and checks the segments.
func checkCut(t *testing.T, frame []byte, o Offload) {
	var s segments
	if !s.cut(frame, o) {
		t.Fatalf("%+v was not cut", o)
	}
	header := make([]byte, virtio.NetHeaderLen)
	o.putSegments(header, len(frame))
	if n := binary.LittleEndian.Uint16(header[virtio.NetHeaderCsumStart:]); int(n) != len(s.frames) {
		t.Fatalf("%d segments, the header says %d", len(s.frames), n)
	}
	h, _ := parse(frame)
	var payload []byte
	for i, segment := range s.frames {
		g, ok := parse(segment)
		switch {
		case !ok || g.payload != h.payload || g.l4 != h.l4 || g.end != len(segment):
			t.Fatalf("segment %d has other headers: %+v, %+v", i, g, h)
		case slowChecksum(segment, g) != 0xffff:
			t.Fatalf("segment %d has a wrong checksum", i)
		case !g.v6 && onesSum(segment[g.l3:g.l4]) != 0xffff:
			t.Fatalf("segment %d has a wrong checksum of the IPv4 header", i)
		case !g.valid(segment):
			t.Fatalf("segment %d is not valid", i)
		case i < len(s.frames)-1 && len(segment) != h.payload+int(o.GSOSize):
			t.Fatalf("segment %d has %d bytes", i, len(segment))
		case g.proto == protoTCP && i > 0 && segment[g.l4+13]&tcpCWR != 0:
			t.Fatalf("segment %d has CWR", i)
		}
		payload = append(payload, segment[g.payload:]...)
	}
	if !bytes.Equal(payload, frame[h.payload:]) {
		t.Fatal("the payload changed")
	}
}

// slowChecksum is the sum of pseudo-header, transport header and payload, word by word.
func slowChecksum(frame []byte, h headers) uint16 {
	b := bytes.Clone(frame[h.l3+12 : h.l3+20])
	if h.v6 {
		b = bytes.Clone(frame[h.l3+8 : h.l3+40])
	}
	b = append(binary.BigEndian.AppendUint32(b, uint32(len(frame)-h.l4)), 0, 0, 0, h.proto)
	b = append(b, frame[h.l4:]...)
	if len(b)%2 != 0 {
		b = append(b, 0)
	}
	sum := 0
	for i := 0; i < len(b); i += 2 {
		sum += int(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}
