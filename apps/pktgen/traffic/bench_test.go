package traffic

import (
	"net"
	"net/netip"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/frame"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// fill benchmarks what makes packets in buffers that come from a cache and go back to it.
func fill(b *testing.B, make32 func(bufs []*mbuf.Buf)) {
	cache := pool(b, 1024, 0).NewCache(256)
	defer cache.Close()
	bufs := make([]*mbuf.Buf, 32)
	b.ReportAllocs()
	for b.Loop() {
		cache.Get(bufs)
		make32(bufs)
		cache.Put(bufs)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/32, "ns/packet")
}

// BenchmarkFill makes packets of several kinds of streams.
func BenchmarkFill(b *testing.B) {
	none := Flows(60, 1000)
	none.Packet[2] = UDP{Src: 1024, Dst: 9, Checksum: ChecksumNone}
	two := Flows(60, 1000)
	two.Fields = append(two.Fields, Field{Name: "ipv4.src", Op: Increment, Count: 250})
	imix := Flows(60, 1000)
	imix.Size, _ = ParseSize("imix")
	keep := Flows(1514, 1000)
	keep.Packet[2] = UDP{Src: 1024, Dst: 9, Checksum: ChecksumNone}
	keep.Payload.Kind = PayloadKeep
	for _, c := range []struct {
		name   string
		stream *Stream
	}{
		{"60", Flows(60, 1)}, {"60-flows", Flows(60, 1000)}, {"60-flows-nosum", none}, {"60-two", two}, {"60-10000-flows", Flows(60, 10000)},
		{"60-100000-flows", Flows(60, 100000)},
		{"1514-flows", Flows(1514, 1000)}, {"1514-keep", keep}, {"imix-flows", imix},
	} {
		b.Run(c.name, func(b *testing.B) {
			p := compiled(b, c.stream, Options{})
			fill(b, func(bufs []*mbuf.Buf) { p.Fill(bufs, 1) })
		})
	}
}

// BenchmarkTestpmd does what testpmd's txonly and flowgen do for a packet of 60 bytes.
func BenchmarkTestpmd(b *testing.B) {
	u := frame.UDP{Dst: frame.Peer(1), Src: net.HardwareAddr{2, 0, 0, 0, 0, 0xaa}, Len: 60,
		SrcIP: netip.MustParseAddr("198.18.0.1"), DstIP: netip.MustParseAddr("10.253.0.0"), SrcPort: 9, DstPort: 9}
	b.Run("txonly", func(b *testing.B) {
		header := u.Header()
		fill(b, func(bufs []*mbuf.Buf) {
			for _, buf := range bufs {
				*(*frame.Header)(buf.Append(60)) = header
			}
		})
	})
	b.Run("flowgen", func(b *testing.B) {
		flows, n := u.Flows(), uint16(0)
		fill(b, func(bufs []*mbuf.Buf) {
			for _, buf := range bufs {
				flows.Write(buf.Append(60), n)
				n = (n + 1) % 1024
			}
		})
	})
	b.Run("none", func(b *testing.B) { fill(b, func(bufs []*mbuf.Buf) {}) })
}
