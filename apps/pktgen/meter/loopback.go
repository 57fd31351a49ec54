package meter

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/generator"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// Loopback is a measurement of the latency that the generator and the meter have
// themselves: over a cable between two emulated devices, without a device under test. What is
// measured with one includes about as much. The zero value measures a second of 1,000 packets
// a second, of 60 bytes.
type Loopback struct {
	Duration time.Duration
	PPS      float64 // of the packets whose latency is measured
	Len      int     // of a frame, without FCS
	Burst    int     // that the generator sends and receives at most
	// CPUs are those that are polled on, as many as a measurement with a device under
	// test has; nil: any one.
	CPUs []int
}

// The defaults of a Loopback.
const (
	loopbackDuration = time.Second
	loopbackPPS      = 1000
	loopbackPatience = 10 * time.Second // with the last packets
	loopbackBuffers  = 8192
	loopbackLen      = 1514 // of the longest frame
)

// loopbackPorts are the ports of a Loopback and what they use.
type loopbackPorts struct {
	config generator.Config
	pool   *mbuf.Pool
}

// Measure measures. It fails if not every packet was received and timed.
func (l Loopback) Measure(ctx context.Context) (latency *Latency, err error) {
	l.complete()
	program, err := l.program()
	if err != nil {
		return nil, err
	}
	receiver, err := New(Config{Streams: []Stream{StreamOf(program)}})
	if err != nil {
		return nil, err
	}
	ports, err := openLoopback(ctx, len(l.CPUs))
	if err != nil {
		return nil, fmt.Errorf("loopback: %w", err)
	}
	defer func() { err = errors.Join(err, ports.close()) }()
	ports.config.Burst = l.Burst
	ports.config.Ports[0].Streams = []generator.Stream{{
		Name: program.Name(), Source: program, PPS: l.PPS, MeanLen: program.MeanLen(),
	}}
	ports.config.Ports[1].Receiver = receiver
	sent, err := l.run(ctx, ports.config)
	if err != nil {
		return nil, fmt.Errorf("loopback: %w", err)
	}
	got := receiver.Snapshot().Streams[0]
	if n := got.Latency.Samples(); n != sent || n == 0 {
		return nil, fmt.Errorf("loopback: %d of %d packets timed; %d arrived: the machine is too busy, or %v too short",
			n, sent, got.Packets(), l.Duration)
	}
	return got.Latency, nil
}

// complete fills in the defaults.
func (l *Loopback) complete() {
	if l.Duration == 0 {
		l.Duration = loopbackDuration
	}
	if l.PPS == 0 {
		l.PPS = loopbackPPS
	}
	if l.Len == 0 {
		l.Len = traffic.MinFrame
	}
	if len(l.CPUs) == 0 {
		l.CPUs = []int{lcore.AnyCPU}
	}
}

// program returns what is sent.
func (l *Loopback) program() (*traffic.Program, error) {
	if l.PPS < 0 || math.IsInf(l.PPS, 0) || l.Duration < 0 {
		return nil, fmt.Errorf("loopback: %v packets a second for %v: not positive and finite; 0 means %d for %v",
			l.PPS, l.Duration, loopbackPPS, loopbackDuration)
	}
	s := traffic.Flows(l.Len, 1)
	s.Name, s.Latency = "loopback", true
	p, err := s.Compile(traffic.Options{MaxLen: loopbackLen})
	if err != nil {
		return nil, fmt.Errorf("loopback: %w", err)
	}
	return p, nil
}

// run sends the packets and returns how many they were.
func (l *Loopback) run(ctx context.Context, c generator.Config) (sent uint64, err error) {
	g, err := generator.New(c)
	if err != nil {
		return 0, err
	}
	for i, p := range g.Pollers() {
		core, err := lcore.Start(l.CPUs[i], p.Poll, p.Abandon)
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, core.Stop()) }()
	}
	// How many they are does not matter. A cable loses none, however busy the machine is.
	trial, err := g.Trial(ctx, generator.Run{
		Duration: l.Duration, Tolerance: 1, Silence: loopbackPatience, Settle: loopbackPatience,
	})
	if err != nil {
		return 0, err
	}
	return trial.Sent, nil
}

// openLoopback opens two ports at the ends of a cable.
func openLoopback(ctx context.Context, pollers int) (*loopbackPorts, error) {
	pool, err := mbuf.NewPool(mbuf.Config{Count: loopbackBuffers, Memory: hugepages.Options{SmallPages: true}})
	if err != nil {
		return nil, err
	}
	l := &loopbackPorts{pool: pool}
	var cables devargs.Cables
	for range 2 {
		var poll func() int
		port, err := devargs.Open(ctx, "emu:cable=loopback", devargs.Options{Pool: pool, Cables: &cables, EmuPoll: &poll})
		if err != nil {
			return nil, errors.Join(err, l.close())
		}
		l.config.Ports = append(l.config.Ports, generator.Port{Name: "loopback", Port: port, Device: poll})
	}
	for range pollers {
		l.config.Caches = append(l.config.Caches, pool.NewCache(256))
	}
	return l, nil
}

// close closes the ports and gives back their memory.
func (l *loopbackPorts) close() error {
	var errs []error
	for _, p := range l.config.Ports {
		errs = append(errs, p.Port.Close())
	}
	for _, c := range l.config.Caches {
		c.Close()
	}
	return errors.Join(append(errs, l.pool.Release())...)
}
