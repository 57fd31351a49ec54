package meter

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// BenchmarkReceive measures bursts of 32 packets of 60 bytes, 64 with FCS.
func BenchmarkReceive(b *testing.B) {
	const size = 32
	for _, streams := range []int{1, 32} {
		for _, latency := range []bool{false, true} {
			b.Run(fmt.Sprintf("streams=%d/latency=%v", streams, latency), func(b *testing.B) {
				s := newSource(b, 64)
				var c Config
				for id := range streams {
					c.Streams = append(c.Streams, Stream{ID: uint16(id), Latency: latency})
				}
				r := newReceiver(b, c)
				bufs := make([]*mbuf.Buf, size)
				for i := range bufs {
					bufs[i] = s.packet(60, uint16(i%streams), 0, 0)
				}
				defer mbuf.Free(bufs)
				each := uint32(size / streams)
				b.ReportAllocs()
				b.ResetTimer()
				for n := 0; n < b.N; n += size {
					for i, p := range bufs {
						seq := uint32(n/size)*each + uint32(i/streams)
						// As one store, which the load of the receiver can be forwarded from.
						binary.BigEndian.PutUint64(p.Data()[60-signatureLen:],
							signatureMagic<<48|uint64(i%streams)<<32|uint64(seq))
					}
					r.Receive(bufs, 12345)
				}
				b.StopTimer()
				if got := r.Snapshot().Streams[0].Counts; got.Skipped != 0 {
					b.Fatalf("counted %+v", got)
				}
			})
		}
	}
}
