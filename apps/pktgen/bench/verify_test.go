package bench_test

import (
	"strings"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/bench"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/generator"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/meter"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/pace"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// TestCorruptPacketsAreReported sends packets with a wrong checksum: all that arrive are
// corrupt, count as lost, and one of them is shown.
func TestCorruptPacketsAreReported(t *testing.T) {
	pool, err := mbuf.NewPool(mbuf.Config{Count: 4096, Memory: hugepages.Options{SmallPages: true}})
	if err != nil {
		t.Fatal(err)
	}
	atEnd(t, pool.Release)
	udp := traffic.Default[traffic.UDP]()
	udp.Checksum = traffic.ChecksumWrong
	stream := traffic.Flows(60, 1)
	stream.Packet[2] = udp
	c := bench.Config{
		Streams: []*traffic.Stream{stream}, Verify: meter.Verify{Checksums: true},
		Caches: []*mbuf.Cache{pool.NewCache(256)},
	}
	if c.Rate, err = pace.ParseRate("20kpps"); err != nil {
		t.Fatal(err)
	}
	var poll func() int
	port, err := devargs.Open(t.Context(), "emu:loop", devargs.Options{Pool: pool, EmuPoll: &poll})
	if err != nil {
		t.Fatal(err)
	}
	atEnd(t, port.Close)
	t.Cleanup(c.Caches[0].Close)
	c.Ports = []bench.Port{{Name: "emu:loop", Port: port, Device: poll}}
	b, err := bench.New(c)
	if err != nil {
		t.Fatal(err)
	}
	core, err := lcore.Start(lcore.AnyCPU, b.Pollers()[0].Poll, b.Pollers()[0].Abandon)
	if err != nil {
		t.Fatal(err)
	}
	atEnd(t, core.Stop)
	got, err := b.Trial(t.Context(), generator.Run{Duration: 50 * time.Millisecond, Tolerance: 1})
	if err != nil {
		t.Fatal(err)
	}
	s := got.Streams[0]
	if s.RxPackets == 0 || s.Corrupt.Checksum != s.RxPackets || s.Lost != s.TxPackets+s.TxUnsent || got.Lost != s.Lost {
		t.Errorf("%+v, %d lost", s, got.Lost)
	}
	if len(got.Examples) != 1 || !strings.HasPrefix(got.Examples[0], "emu:loop: stream udp: frame of 60 bytes: UDP checksum is 0x") ||
		strings.Count(got.Examples[0], "\n") != 5 {
		t.Errorf("examples %q", got.Examples)
	}
}

func atEnd(t *testing.T, end func() error) {
	t.Cleanup(func() {
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}
