package bench

import (
	"fmt"
	"math"
	"sync"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/generator"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/meter"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/pace"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/result"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
)

// maxPrograms is how many streams there are at most, counting one for each queue: so many
// numbers a signature has.
const maxPrograms = 1 << 16

// Bench sends streams over ports and measures what is received. Its methods may be called
// from any goroutine, but Trial from one at a time.
type Bench struct {
	config    Config
	generator *generator.Generator
	receivers []*meter.Receiver // of each port
	flows     []*flow           // one for each stream

	mu   sync.Mutex
	base [][]result.Stream // what was sent before the trial, by port and place
	// looked is what was sent of each stream when Streams was called the last time.
	looked []uint64
	scale  float64 // of the trial that runs, or of the last one
}

// flow is a stream and what sends it, one source for each queue.
type flow struct {
	stream   *traffic.Stream
	pattern  pace.Pattern
	pps      float64 // of all queues
	sources  []source
	programs []*traffic.Program // the sources, nil for a replay
	at       []int              // the place of each source among the streams of its port
}

// New makes a bench of ports that are open. They and the caches must not be used otherwise
// until the pollers have ended. A failure is a [*ConfigError], a [*traffic.Error], a
// [*pace.Error], or one of the ports.
func New(c Config) (*Bench, error) {
	b := &Bench{config: c, scale: 1}
	g := c.generatorConfig()
	next := 0
	for _, s := range c.streams() {
		f, err := b.compile(s, &next)
		if err != nil {
			return nil, err
		}
		b.flows = append(b.flows, f)
		port := &g.Ports[s.Port]
		for q, source := range f.sources {
			f.at = append(f.at, len(port.Streams))
			pattern := f.pattern
			pattern.Seed += uint64(q) // queues do not send at the same moments
			port.Streams = append(port.Streams, generator.Stream{
				Name: s.Name, Source: source, Queue: f.queue(q, s.number, c.Ports[s.Port].Port.Queues()),
				PPS: f.pps / float64(len(f.sources)), Pattern: pattern,
				Constant: s.Latency, MeanLen: source.MeanLen(),
			})
		}
	}
	if err := b.newReceivers(&g); err != nil {
		return nil, err
	}
	var err error
	if b.generator, err = generator.New(g); err != nil {
		return nil, err
	}
	b.base = b.sent(nil)
	return b, nil
}

// compile makes what sends a stream. next is the number of the first source, and is set to
// the one after the last.
func (b *Bench) compile(s entry, next *int) (*flow, error) {
	if s.Port < 0 || s.Port >= len(b.config.Ports) {
		return nil, &ConfigError{Stream: s.Name, Reason: fmt.Sprintf("there is no port %d", s.Port),
			Remedy: fmt.Sprintf("ports are numbered from 0 to %d", len(b.config.Ports)-1)}
	}
	f := &flow{stream: s.Stream}
	_, pattern, _, err := s.Pacing()
	if err != nil {
		return nil, &ConfigError{Stream: s.Name, Reason: err.Error(), Err: err}
	}
	port := b.config.Ports[s.Port].Port
	queues := 1
	if even(s.Stream, pattern) {
		queues = port.Queues()
	}
	for q := range queues {
		if *next == maxPrograms {
			return nil, &ConfigError{Stream: s.Name, Reason: fmt.Sprintf("there are more than %d streams, one a queue", maxPrograms),
				Remedy: "use fewer, with fields that vary"}
		}
		o := traffic.Options{ID: uint16(*next), Queue: q, MaxLen: MaxLen(port, b.config.Caches[0].Pool())}
		if err := b.add(f, s, o); err != nil {
			return nil, err
		}
		*next++
	}
	f.pps, f.pattern, err = b.config.pace(s, f.sources[0].MeanLen())
	if r, ok := f.sources[0].(*traffic.Replay); ok {
		f.pattern = r.Pattern()
	}
	return f, err
}

// Replays returns the captures that are sent.
func (b *Bench) Replays() []*traffic.Replay {
	var list []*traffic.Replay
	for _, f := range b.flows {
		if r, ok := f.sources[0].(*traffic.Replay); ok {
			list = append(list, r)
		}
	}
	return list
}

// add adds a source to a flow.
func (b *Bench) add(f *flow, s entry, o traffic.Options) error {
	if s.Replay != nil {
		r, err := b.config.replay(s, o)
		f.sources = append(f.sources, r)
		return err
	}
	p, err := b.config.program(s, o)
	f.sources, f.programs = append(f.sources, p), append(f.programs, p)
	return err
}

// tracked reports whether the packets of a flow carry a signature.
func (f *flow) tracked() bool { return len(f.programs) > 0 && f.programs[0].Tracked() }

// queue returns the queue of source q of stream number i.
func (f *flow) queue(q, i, queues int) int {
	if len(f.sources) == queues {
		return q
	}
	return i % queues
}

// newReceivers makes what measures the streams that arrive at each port.
func (b *Bench) newReceivers(g *generator.Config) error {
	for i := range b.config.Ports {
		c := meter.Config{Verify: b.config.Verify}
		for _, f := range b.flows {
			if b.config.Ports[f.stream.Port].Peer != i {
				continue
			}
			for _, p := range f.programs {
				if p.Tracked() {
					c.Streams = append(c.Streams, meter.StreamOf(p))
				}
			}
		}
		r, err := meter.New(c)
		if err != nil {
			return err
		}
		b.receivers = append(b.receivers, r)
		g.Ports[i].Receiver = r
	}
	return nil
}

// Pollers returns what is to be polled, one for each cache, each by a goroutine of its own
// from before the first trial until after the last.
func (b *Bench) Pollers() []*generator.Poller { return b.generator.Pollers() }

// BasePPS returns how many packets a second the streams send together at scale 1, without
// those whose latency is measured, which no scale changes. It is +Inf if one of them
// sends as many as possible.
func (b *Bench) BasePPS() float64 {
	sum := 0.0
	for _, f := range b.flows {
		if !f.stream.Latency {
			sum += f.pps
		}
	}
	return sum
}

// Bounded reports whether all streams have a rate, so that they can be scaled.
func (b *Bench) Bounded() bool { return !math.IsInf(b.BasePPS(), 1) }

// SetScale changes the scale of the trial that runs: see [generator.Generator.SetScale].
func (b *Bench) SetScale(scale float64) error {
	if err := b.generator.SetScale(scale); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.scale = scale
	return nil
}

// Rates returns how many packets of each stream are intended to be sent in a second of the
// trial that runs, or else of the last one: +Inf is as many as possible.
func (b *Bench) Rates() []float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]float64, len(b.flows))
	for i, f := range b.flows {
		if list[i] = f.pps; !f.stream.Latency {
			list[i] *= b.scale
		}
	}
	return list
}

// MeanLen returns the mean length of the packets of a stream, in bytes without FCS.
func (b *Bench) MeanLen(stream int) float64 { return b.flows[stream].sources[0].MeanLen() }

// LenRange returns the lengths of the shortest and the longest packet of a stream.
func (b *Bench) LenRange(stream int) (least, most int) {
	p := b.flows[stream].sources[0]
	return p.MinLen(), p.MaxLen()
}

// Senders returns how many ports send.
func (b *Bench) Senders() int {
	ports := make(map[int]bool)
	for _, f := range b.flows {
		ports[f.stream.Port] = true
	}
	return len(ports)
}
