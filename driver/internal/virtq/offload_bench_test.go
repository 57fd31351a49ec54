package virtq

import (
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/inettest"
)

// benchOffloads runs f on both formats, in bursts of 32.
func benchOffloads(b *testing.B, f func(b *testing.B, s setup, c *clock), features ...virtio.Feature) {
	for _, packed := range []bool{false, true} {
		s := setup{packed: packed, size: benchSize, features: features, bufs: 8 * benchSize, segments: 36}
		b.Run(s.String(), func(b *testing.B) {
			b.ReportAllocs()
			c := &clock{rounds: make([]float64, 0, 1<<16)}
			f(b, s, c)
			c.report(b)
		})
	}
}

const benchBurst = 32

// BenchmarkRxOffload receives packets behind headers of 20 bytes that have a hash and say
// that the checksum is good, reads both and frees the packets.
func BenchmarkRxOffload(b *testing.B) {
	benchOffloads(b, func(b *testing.B, s setup, c *clock) {
		r := newRxRig(b, s)
		dev := newBenchDevice(r.dev)
		dev.want(false)
		dev.header = make([]byte, 20)
		dev.header[0], dev.header[16] = virtio.NetHeaderDataValid, byte(virtio.HashReportTCPv4)
		bufs := make([]*mbuf.Buf, benchBurst)
		sum := uint32(0)
		b.ResetTimer()
		for done := 0; done < b.N; {
			le.PutUint32(dev.header[12:], uint32(done))
			dev.useAll(20 + 64)
			round := 0
			c.run()
			for {
				n := r.rx.Burst(bufs)
				if n == 0 {
					break
				}
				for _, p := range bufs[:n] {
					hash, report := p.Hash()
					sum += hash + uint32(report) + uint32(p.Checksum())
				}
				r.cache.Put(bufs[:n])
				round += n
			}
			c.stop(round)
			r.progress(round)
			done += round
		}
		r.ok()
		if sum == 0 || r.rx.Stats().ChecksumGood.Load() < uint64(b.N) {
			b.Error("packets are not described")
		}
	}, virtio.NetGuestCSUM, virtio.NetHashReport)
}

// BenchmarkTxChecksum sends packets with a checksum that the device is to complete. The
// clock runs for the request as well.
func BenchmarkTxChecksum(b *testing.B) {
	benchOffloads(b, func(b *testing.B, s setup, c *clock) {
		frame := inettest.Packet{Payload: make([]byte, 10)}.Partial()
		benchRequests(b, s, c, benchSize, 1, func(r *rig) *mbuf.Buf { return r.inSegments(frame) },
			func(p *mbuf.Buf) error { return p.RequestChecksum(34, 16) })
	}, virtio.NetCSUM)
}

// BenchmarkTxLarge sends packets that the device is to cut into 16 segments of 1,000 bytes, in 8
// buffers. ns/pkt is for a segment.
func BenchmarkTxLarge(b *testing.B) {
	benchOffloads(b, func(b *testing.B, s setup, c *clock) {
		frame := inettest.Packet{Payload: make([]byte, 16_000)}.Partial()
		benchRequests(b, s, c, benchBurst, 16, func(r *rig) *mbuf.Buf { return r.inSegments(frame) },
			func(p *mbuf.Buf) error { return p.RequestSegmentation(mbuf.SegmentTCPv4, 34, 1000) })
	}, virtio.NetCSUM, virtio.NetHostTSO4, virtio.RingIndirectDesc)
}

// benchRequests sends rounds of so many packets, each of them worth so many units.
func benchRequests(b *testing.B, s setup, c *clock, round, units int, packet func(r *rig) *mbuf.Buf,
	request func(p *mbuf.Buf) error) {
	r := newTxRig(b, s)
	dev := newBenchDevice(r.dev)
	dev.want(false)
	packets := make([]*mbuf.Buf, round)
	b.ResetTimer()
	for done := 0; done < b.N; {
		b.StopTimer() // allocations of the test are not those of the driver
		for i := range packets {
			packets[i] = packet(r)
		}
		b.StartTimer()
		sent := 0
		c.run()
		for at := 0; at < round; at += benchBurst {
			for _, p := range packets[at:][:benchBurst] {
				if err := request(p); err != nil {
					b.Fatal(err)
				}
			}
			sent += r.tx.Burst(packets[at:][:benchBurst])
		}
		c.stop(sent * units)
		r.cache.Put(packets[sent:])
		r.progress(sent)
		done += sent * units
		dev.useAll(0)
	}
	if s := r.tx.Stats(); s.Dropped() != 0 || s.SoftwareChecksums.Load()+s.SoftwareLarge.Load() != 0 {
		b.Error("packets were dropped, or the device did not do the work")
	}
	r.ok()
}
