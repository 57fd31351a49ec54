package meter

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// BenchmarkReceive measures bursts of 32 packets of 60 bytes, 64 with FCS. The metric
// cpu-ns/packet does not count the time that other programs have the CPU.
func BenchmarkReceive(b *testing.B) {
	const size, bursts = 32, 4
	for _, streams := range []int{1, 32} {
		for _, latency := range []bool{false, true} {
			b.Run(fmt.Sprintf("streams=%d/latency=%v", streams, latency), func(b *testing.B) {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				s := newSource(b, size*bursts)
				var c Config
				for id := range streams {
					c.Streams = append(c.Streams, Stream{ID: uint16(id), Latency: latency})
				}
				r := newReceiver(b, c)
				bufs := make([]*mbuf.Buf, size*bursts)
				for i := range bufs {
					bufs[i] = s.packet(60, uint16(i%streams), uint32(i/streams), int64(i%100))
				}
				defer mbuf.Free(bufs)
				b.ReportAllocs()
				b.ResetTimer()
				before := threadTime(b)
				for n := 0; n < b.N; n += len(bufs) {
					for i := range r.all {
						r.all[i].window.begin(0) // the same packets again
					}
					for i := 0; i < len(bufs); i += size {
						r.Receive(bufs[i:i+size], 12345)
					}
				}
				b.StopTimer()
				rounds := (b.N + len(bufs) - 1) / len(bufs)
				b.ReportMetric(float64(threadTime(b)-before)/float64(rounds*len(bufs)), "cpu-ns/packet")
				if got := r.Snapshot().Streams[0].Counts; got.InOrder != uint64(rounds*len(bufs)/streams) {
					b.Fatalf("counted %+v", got)
				}
			})
		}
	}
}

// threadTime returns how long this thread had a CPU.
func threadTime(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkVerify measures a packet of which everything is verified.
func BenchmarkVerify(b *testing.B) {
	for _, length := range []int{60, 1514} {
		b.Run(fmt.Sprintf("len=%d", length), func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			s := newSource(b, 32)
			p, err := traffic.Flows(length, 1).Compile(traffic.Options{})
			if err != nil {
				b.Fatal(err)
			}
			r := newReceiver(b, Config{
				Streams: []Stream{StreamOf(p)}, Verify: Verify{Lengths: true, Checksums: true, Payload: true},
			})
			bufs := make([]*mbuf.Buf, 32)
			s.pool.Get(bufs)
			p.Fill(bufs, 0)
			defer mbuf.Free(bufs)
			b.ReportAllocs()
			b.ResetTimer()
			before := threadTime(b)
			for n := 0; n < b.N; n += len(bufs) {
				r.streams[0].window.begin(0) // the same packets again
				r.Receive(bufs, 0)
			}
			b.StopTimer()
			b.ReportMetric(float64(threadTime(b)-before)/float64(b.N), "cpu-ns/packet")
			if c := r.Snapshot().Streams[0].Counts; c.Corrupt.Packets() > 0 {
				b.Fatalf("counted %+v", c)
			}
		})
	}
}
