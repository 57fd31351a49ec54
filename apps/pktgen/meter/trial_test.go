package meter_test

import (
	"context"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/generator"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/meter"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// generated are two streams, of which one is probes, that a generator sends over a cable.
type generated struct {
	*generator.Generator
	programs []*traffic.Program
	meter    *meter.Receiver
	to       *driver.Port
	core     *lcore.Core // nil after stop
}

// newGenerated opens the cable, whose far end has these keys, and starts the generator.
func newGenerated(t *testing.T, keys string) *generated {
	t.Helper()
	g := &generated{}
	var streams []generator.Stream
	var measured []meter.Stream
	for i, pps := range []float64{20000, 1000} {
		s := traffic.Flows(60, 100)
		s.Latency = i == 1
		p, err := s.Compile(traffic.Options{ID: uint16(i)})
		if err != nil {
			t.Fatal(err)
		}
		g.programs = append(g.programs, p)
		streams = append(streams, generator.Stream{Name: p.Name(), Source: p, PPS: pps, MeanLen: p.MeanLen()})
		measured = append(measured, meter.StreamOf(p))
	}
	var err error
	if g.meter, err = meter.New(meter.Config{Streams: measured, Verify: meter.Verify{Checksums: true, Payload: true}}); err != nil {
		t.Fatal(err)
	}
	pool, err := mbuf.NewPool(mbuf.Config{Count: 8192, Memory: hugepages.Options{SmallPages: true}})
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, pool.Release)
	config := generator.Config{Caches: []*mbuf.Cache{pool.NewCache(256)}}
	var cables devargs.Cables
	for _, name := range []string{"emu:cable=a", "emu:cable=a" + keys} {
		var poll func() int
		port, err := devargs.Open(t.Context(), name, devargs.Options{Pool: pool, Cables: &cables, EmuPoll: &poll})
		if err != nil {
			t.Fatal(err)
		}
		closeAtEnd(t, port.Close)
		g.to = port
		config.Ports = append(config.Ports, generator.Port{Name: name, Port: port, Device: poll})
	}
	t.Cleanup(config.Caches[0].Close)
	config.Ports[0].Streams = streams
	config.Ports[1].Receiver = g.meter
	if g.Generator, err = generator.New(config); err != nil {
		t.Fatal(err)
	}
	if g.core, err = lcore.Start(lcore.AnyCPU, g.Pollers()[0].Poll, g.Pollers()[0].Abandon); err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, g.stop)
	return g
}

// stop ends polling.
func (g *generated) stop() error {
	core := g.core
	g.core = nil
	if core == nil {
		return nil
	}
	return core.Stop()
}

func closeAtEnd(t *testing.T, end func() error) {
	t.Cleanup(func() {
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}

// trial runs a trial and returns what was sent of each stream, and received.
func (g *generated) trial(t *testing.T, settle time.Duration) (sent []uint64, got meter.Snapshot) {
	t.Helper()
	first := map[uint16]uint32{}
	for _, p := range g.programs {
		first[p.ID()] = p.Sequence()
	}
	g.meter.Begin(first)
	out, err := g.Trial(context.Background(), generator.Run{
		Duration: 100 * time.Millisecond, Tolerance: 1, Silence: settle, Settle: settle, Received: g.meter.Unique,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range out.Streams {
		sent = append(sent, s.TxPackets)
	}
	return sent, g.meter.Snapshot()
}

// TestTrialsOfAGenerator: over a cable that impairs nothing, all that a generator sends is
// received, in order, and in the trial that it was sent in.
func TestTrialsOfAGenerator(t *testing.T) {
	g := newGenerated(t, "")
	var received uint64
	for trial := range 3 {
		sent, got := g.trial(t, 10*time.Second)
		for i, s := range got.Streams {
			if want := (meter.Counts{InOrder: sent[i], Bytes: 60 * sent[i]}); s.Counts != want {
				t.Errorf("trial %d, stream %d: sent %d, %+v", trial, i, sent[i], s.Counts)
			}
		}
		if l := got.Streams[1].Latency; l.Samples() != sent[1] || l.Min() < 0 || l.Max() > int64(time.Minute) {
			t.Errorf("trial %d: %+v", trial, l.Summary())
		}
		received += got.Packets()
	}
	if n := g.to.Stats().RxPackets; n != received || n == 0 {
		t.Errorf("the port received %d packets, the meter %d", n, received)
	}
}

// TestImpairedTrial finds what an impaired cable does, and that all of it adds up.
func TestImpairedTrial(t *testing.T) {
	g := newGenerated(t, ",loss=5,reorder=5,duplicate=5,delay=100us")
	sent, got := g.trial(t, 500*time.Millisecond)
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	all := g.meter.Begin(nil) // with what came after the trial, if the machine is very busy
	for i, s := range got.Streams {
		if s.Unique()+s.Lost(sent[i]) != sent[i] || s.Span() > sent[i] || s.Corrupt.Packets()+s.Stale+s.Late > 0 {
			t.Errorf("stream %d: sent %d, %+v", i, sent[i], s.Counts)
		}
		if i == 0 && (s.Lost(sent[0]) == 0 || s.Reordered == 0 || s.Duplicate == 0) && sent[0] > 1000 {
			t.Errorf("nothing happened to %d packets: %+v", sent[0], s.Counts)
		}
	}
	if n := g.to.Stats().RxPackets; n != all.Packets() {
		t.Errorf("the port received %d packets, the meter %d", n, all.Packets())
	}
	if l := got.Streams[1].Latency; l.Samples() > 0 && l.Min() < 100_000 {
		t.Errorf("a packet took %d ns over a cable that takes 100 µs", l.Min())
	}
	if g.meter.Unique() != all.Streams[0].Unique()+all.Streams[1].Unique() {
		t.Error("unique packets of a trial that has ended are not counted")
	}
}
