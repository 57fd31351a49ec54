package generator

import (
	"sync/atomic"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/pace"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// Generator sends streams and receives packets. Its methods may be called from any
// goroutine, but Trial from one at a time.
type Generator struct {
	config    Config
	pollers   []*Poller
	senders   []*sender
	receivers []*receiver // one a port
	streams   [][]*stream // of each port
	current   atomic.Pointer[trial]

	stuckAfter time.Duration // how long after its end a trial waits for its pollers
}

// New makes a generator for ports that are open, and deals their queues out to pollers. What
// it is given must not be changed, and not be used otherwise, until the pollers have ended.
// A failure is a [*ConfigError] or one of the ports.
func New(c Config) (*Generator, error) {
	if c.Burst == 0 {
		c.Burst = pace.DefaultBurst
	}
	if c.CatchUp == 0 {
		c.CatchUp = pace.DefaultCatchUp
	}
	if c.Clock == (Clock{}) {
		c.Clock = NewClock()
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	g := &Generator{config: c, streams: make([][]*stream, len(c.Ports)), stuckAfter: stuckAfter}
	for range c.Caches {
		g.pollers = append(g.pollers, &Poller{clock: c.Clock})
	}
	return g, g.deal()
}

// Pollers returns what is to be polled, one for each cache of the Config, each by a goroutine
// of its own until the last trial has ended.
func (g *Generator) Pollers() []*Poller { return g.pollers }

// Clock returns the clock that packets are stamped with.
func (g *Generator) Clock() Clock { return g.config.Clock }

// Sent returns what was sent of a stream, by its place in the Config, since New.
func (g *Generator) Sent(port, stream int) (packets, bytes uint64) {
	s := g.streams[port][stream]
	return s.packets.Load(), s.bytes.Load()
}

// Received returns how many packets a port has received since New.
func (g *Generator) Received(port int) uint64 { return g.receivers[port].packets.Load() }

// sent returns what was sent of all streams since New.
func (g *Generator) sent() uint64 {
	var n uint64
	for _, streams := range g.streams {
		for _, s := range streams {
			n += s.packets.Load()
		}
	}
	return n
}

// received returns what was received on all ports since New.
func (g *Generator) received() uint64 {
	var n uint64
	for _, r := range g.receivers {
		n += r.packets.Load()
	}
	return n
}

// newSender makes the sender of a transmit queue, without streams, for the poller that has
// a cache.
func (g *Generator) newSender(port, queue int, cache *mbuf.Cache) (*sender, error) {
	tx := g.config.Ports[port].Port.TxQueue(queue)
	s := &sender{tx: tx, cache: cache, current: &g.current, bufs: make([]*mbuf.Buf, g.config.Burst)}
	g.senders = append(g.senders, s)
	return s, tx.SetCache(cache)
}

// newReceiver makes the receiver of a port for a poller.
func (g *Generator) newReceiver(port, poller int) (*receiver, error) {
	config := &g.config.Ports[port]
	r := &receiver{to: config.Receiver, cache: g.config.Caches[poller], clock: g.config.Clock,
		bufs: make([]*mbuf.Buf, g.config.Burst)}
	for i := range config.Port.Queues() {
		q := config.Port.RxQueue(i)
		if err := q.SetCache(r.cache); err != nil {
			return nil, err
		}
		r.queues = append(r.queues, q)
	}
	g.receivers = append(g.receivers, r)
	g.pollers[poller].receivers = append(g.pollers[poller].receivers, r)
	return r, nil
}
