package bench

import (
	"fmt"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/generator"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/meter"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/pace"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// Config says what a [Bench] has.
type Config struct {
	Ports []Port
	// Streams are what is sent, each by the port that it names. With a Scenario they are
	// those of the scenario, and Streams is nil.
	Streams  []*traffic.Stream
	Scenario *traffic.Scenario
	// LoadOnly leaves out streams whose latency is measured.
	LoadOnly bool
	// Rate is that of streams that state none; the zero value is refused if there are any.
	Rate pace.Rate
	// LineRate is what percentages are of and what no rate may exceed, in bit/s on
	// layer 1; 0 if none is stated.
	LineRate float64
	// Caches are those of the pollers, one each, of the pool that the ports share.
	Caches []*mbuf.Cache
	// Burst is how many packets are sent or received at once at most, 0 for the default.
	Burst int
	// Verify is what of received packets is verified.
	Verify meter.Verify
}

// Port is a port of a [Bench].
type Port struct {
	Name string
	Port *driver.Port
	// Peer is the number of the port at which what this one sends arrives, which may be
	// itself.
	Peer int
	// Device has the emulated device behind the port process its queues once; nil if it
	// has a goroutine of its own or is not emulated.
	Device func() int
}

// l2Header is what the MTU leaves out: an Ethernet header with a VLAN tag.
const l2Header = 18

// MaxLen returns the length of the longest frame, without FCS, that a port sends from
// buffers of a pool.
func MaxLen(port *driver.Port, pool *mbuf.Pool) int {
	room := pool.DataRoom()
	if mtu := port.MTU(); mtu > 0 {
		return min(mtu+l2Header, room)
	}
	return room
}

// ConfigError is a Config that cannot be used. Nothing was sent.
type ConfigError struct {
	Stream string // its name, "" if it is not about one
	Reason string
	Remedy string
	Err    error // cause, or nil
}

func (e *ConfigError) Error() string {
	text := e.Reason
	if e.Stream != "" {
		text = fmt.Sprintf("stream %s: %s", e.Stream, text)
	}
	if e.Remedy != "" {
		text += "; " + e.Remedy
	}
	return text
}

// Unwrap returns the cause.
func (e *ConfigError) Unwrap() error { return e.Err }

// streams returns what is sent. Each has its number in the scenario, or in Streams.
func (c *Config) streams() []entry {
	list := c.Streams
	if c.Scenario != nil {
		list = nil
		for i := range c.Scenario.Streams {
			list = append(list, &c.Scenario.Streams[i])
		}
	}
	var all []entry
	for i, s := range list {
		if !c.LoadOnly || !s.Latency {
			all = append(all, entry{s, i})
		}
	}
	return all
}

type entry struct {
	*traffic.Stream
	number int
}

// source is what sends a stream by one queue.
type source interface {
	generator.Source
	ID() uint16
	MeanLen() float64
	MinLen() int
	MaxLen() int
}

// program compiles a stream that is no replay.
func (c *Config) program(s entry, o traffic.Options) (*traffic.Program, error) {
	if c.Scenario != nil {
		return c.Scenario.Compile(s.number, o)
	}
	return s.Compile(o)
}

// replay opens the capture of a stream.
func (c *Config) replay(s entry, o traffic.Options) (*traffic.Replay, error) {
	if c.Scenario != nil {
		return c.Scenario.OpenReplay(s.number, o)
	}
	return traffic.OpenReplay(*s.Replay, o)
}

// pace returns the packets a second of a stream whose frames have a mean length, +Inf for
// as many as possible, and how they follow each other.
func (c *Config) pace(s entry, meanLen float64) (float64, pace.Pattern, error) {
	rate, pattern, set, err := s.Pacing()
	if err != nil {
		return 0, pattern, &ConfigError{Stream: s.Name, Reason: err.Error(), Err: err}
	}
	if !set {
		rate = c.Rate
	}
	pps, err := rate.PPS(meanLen, c.LineRate)
	if err != nil {
		return 0, pattern, &ConfigError{Stream: s.Name, Reason: err.Error(), Err: err}
	}
	if _, err := pace.New(pace.Config{PPS: pps, Pattern: pattern}); err != nil {
		return 0, pattern, &ConfigError{Stream: s.Name, Reason: err.Error(), Err: err}
	}
	return pps, pattern, nil
}

// even reports whether a stream is dealt out to all queues.
func even(s *traffic.Stream, p pace.Pattern) bool {
	return !s.Latency && s.Replay == nil && (p.Kind == pace.Continuous || p.Kind == pace.Poisson)
}

// generatorConfig returns what the generator has, with no streams yet.
func (c *Config) generatorConfig() generator.Config {
	g := generator.Config{Caches: c.Caches, Burst: c.Burst}
	for _, p := range c.Ports {
		g.Ports = append(g.Ports, generator.Port{Name: p.Name, Port: p.Port, Device: p.Device})
	}
	return g
}
