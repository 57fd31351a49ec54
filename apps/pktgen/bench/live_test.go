package bench_test

import (
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/bench"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/generator"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/pace"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/result"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// loop returns a bench of one port, a polled software device, that sends 20 kpps of one
// stream.
func loop(t *testing.T, device string) *bench.Bench {
	t.Helper()
	pool, err := mbuf.NewPool(mbuf.Config{Count: 4096, Memory: hugepages.Options{SmallPages: true}})
	if err != nil {
		t.Fatal(err)
	}
	atEnd(t, pool.Release)
	var poll func() int
	port, err := devargs.Open(t.Context(), device, devargs.Options{Pool: pool, EmuPoll: &poll})
	if err != nil {
		t.Fatal(err)
	}
	atEnd(t, port.Close)
	stream := traffic.Flows(60, 1)
	stream.Latency = true
	c := bench.Config{
		Streams: []*traffic.Stream{stream}, Caches: []*mbuf.Cache{pool.NewCache(256)},
		Ports: []bench.Port{{Name: device, Port: port, Device: poll}},
	}
	t.Cleanup(c.Caches[0].Close)
	if c.Rate, err = pace.ParseRate("20kpps"); err != nil {
		t.Fatal(err)
	}
	b, err := bench.New(c)
	if err != nil {
		t.Fatal(err)
	}
	core, err := lcore.Start(lcore.AnyCPU, b.Pollers()[0].Poll, b.Pollers()[0].Abandon)
	if err != nil {
		t.Fatal(err)
	}
	atEnd(t, core.Stop)
	return b
}

// TestUnderWayIsNotLost: packets that a wire delays are not lost while they are under way,
// and their latency is known as soon as they arrive.
func TestUnderWayIsNotLost(t *testing.T) {
	b := loop(t, "emu:loop,delay=300ms")
	ended := make(chan error, 1)
	go func() {
		_, err := b.Trial(t.Context(), generator.Run{Duration: 50 * time.Millisecond, Silence: time.Second, Tolerance: 1})
		ended <- err
	}()
	var s result.Stream
	for s.TxPackets == 0 {
		s = b.Streams()[0]
	}
	if s.RxPackets == 0 && s.Lost > 0 {
		t.Errorf("%d of %d packets that are under way are lost", s.Lost, s.TxPackets)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	s = b.Streams()[0]
	if l := b.Latencies(); s.Lost != 0 || s.RxPackets != s.TxPackets || len(l) != 1 || l[0].Samples() != s.RxPackets ||
		time.Duration(l[0].Min()) < 290*time.Millisecond {
		t.Errorf("after the trial: %+v, latencies %+v", s, l)
	}
}

// TestUnknownAddsUp: what a port receives is what the meter knows of it, also while packets
// that belong to no stream never end.
func TestUnknownAddsUp(t *testing.T) {
	b := loop(t, "emu:gen")
	got, err := b.Trial(t.Context(), generator.Run{Duration: 20 * time.Millisecond, Silence: time.Millisecond, Tolerance: 1})
	if err != nil {
		t.Fatal(err)
	}
	if p := got.Ports[0]; p.RxPackets == 0 || p.RxPackets != p.RxUnknown || p.RxBytes < 60*p.RxPackets {
		t.Errorf("%+v", p)
	}
	if seconds, all := float64(got.Duration)/1e9, float64(got.Ports[0].RxPackets); got.Received.PPS > 1.001*all/seconds {
		t.Errorf("received %.0f pps, %.0f packets in %.3f s", got.Received.PPS, all, seconds)
	}
}

// TestLiveLosses: losses are counted while packets flow, and once all that was sent was
// looked at, they are those of the trial.
func TestLiveLosses(t *testing.T) {
	b := loop(t, "emu:loop,loss=10")
	got, err := b.Trial(t.Context(), generator.Run{Duration: 50 * time.Millisecond, Tolerance: 1})
	if err != nil {
		t.Fatal(err)
	}
	want := got.Streams[0].TxPackets - got.Streams[0].RxPackets
	if early := b.Streams()[0].Lost; early > want || early+50 < want {
		t.Errorf("%d packets are lost before the last was looked at, of %d", early, want)
	}
	if last := b.Streams()[0].Lost; last != want || want == 0 {
		t.Errorf("%d packets are lost, want %d", last, want)
	}
}
