package main

import (
	"slices"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/pollers"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/portset"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// engine is the streams of a plan over its open ports and the pollers they are
// dealt to.
type engine struct {
	plan    *plan
	set     *portset.Set
	ports   []int       // those that take part
	to      map[int]int // the port that each one's packets leave by
	streams []*stream   // in their order
	pollers []poller
	outs    [][]*stream // per port, those that transmit on it
	meters  []*meter
	// sleepers are those of pollers that sleep.
	sleepers []*pollers.Sleeper
	clock    clock
}

// poller is the streams of one goroutine.
type poller struct {
	streams []*stream
	bursts  []func() bool
	uses    map[int]bool    // ports that it receives from or sends to
	devices portset.Devices // emulated ones behind them
}

// poll makes one round over the streams and reports whether there was a packet.
func (p *poller) poll() bool {
	busy := false
	for _, burst := range p.bursts {
		if burst() {
			busy = true
		}
	}
	if p.devices.Any() {
		p.devices.Poll(busy)
	}
	return busy
}

// relax polls the emulated devices once.
func (p *poller) relax(busy bool) {
	if p.devices.Any() {
		p.devices.Poll(busy)
	}
}

// function is poll, or the burst itself if that is all there is.
func (p *poller) function() func() bool {
	if len(p.bursts) == 1 && !p.devices.Any() {
		return p.bursts[0]
	}
	return p.poll
}

// abandon has the queues deal with a memory fault, and reports whether one did. The
// packets of the burst are lost.
func (p *poller) abandon(cause error) bool {
	handled := false
	for _, s := range p.streams {
		if s.rx != nil {
			handled = s.rx.Abandon(cause) || handled
		}
		if s.tx != nil {
			handled = s.tx.Abandon(cause) || handled
		}
	}
	return handled
}

// newEngine makes the streams of the mode and deals them out to pollers.
func newEngine(p *plan, set *portset.Set) (*engine, error) {
	e := &engine{
		plan: p, set: set, ports: p.forwarding(set.Ports), outs: make([][]*stream, len(set.Ports)),
	}
	e.to = p.pairs(e.ports)
	e.pollers = make([]poller, p.pollers(len(set.Caches)))
	for i := range e.pollers {
		e.pollers[i].uses = map[int]bool{}
	}
	var ways []way
	dealt := 0
	for _, i := range e.ports {
		list, owners := e.deal(i, dealt)
		ways = append(ways, list...)
		dealt += owners
	}
	// In the order of dpdk-testpmd: the first queues of all ports, then the second ones.
	slices.SortStableFunc(ways, func(a, b way) int { return a.rx - b.rx })
	for _, w := range ways {
		if err := e.add(w); err != nil {
			return nil, err
		}
	}
	devices := set.Devices(func(i, port int) bool { return i < len(e.pollers) && e.pollers[i].uses[port] })
	for i := range e.pollers {
		e.pollers[i].devices = devices[i]
	}
	return e, nil
}

// way is where a stream leads, and the number of its poller.
type way struct {
	port, rx, tx, owner int
	shared              bool // others lead to that transmit queue too
}

// deal returns the ways from port i, to pollers one after the other from that of number first,
// and how many pollers it went through. A transmit queue has one owner: where a port receives by
// more queues than the other transmits by, the streams that share a transmit queue go to the same
// poller.
func (e *engine) deal(i, first int) (ways []way, owners int) {
	in, out := e.set.Ports[i], e.set.Ports[e.to[i]]
	streams, queues := least(in.Queues(), e.plan.rxq), least(out.Queues(), e.plan.txq)
	switch {
	case !e.plan.mode.transmits:
		queues = streams
	case !e.plan.mode.receives:
		streams = queues
	}
	for q := range streams {
		ways = append(ways, way{port: i, rx: q, tx: q % queues, owner: (first + q%queues) % len(e.pollers), shared: q >= queues || q+queues < streams})
	}
	return ways, min(streams, queues)
}

// least returns the number of queues to use of those there are: limit, unless that is 0.
func least(queues, limit int) int {
	if limit == 0 {
		return queues
	}
	return min(queues, limit)
}

// add makes the stream of a way.
func (e *engine) add(w way) error {
	p := &e.pollers[w.owner]
	s := e.newStream(w)
	if s.rx != nil {
		if err := s.rx.SetCache(s.cache); err != nil {
			return err
		}
		p.uses[w.port] = true
	}
	if s.tx != nil {
		if err := s.tx.SetCache(s.cache); err != nil {
			return err
		}
		e.outs[s.number] = append(e.outs[s.number], s)
		p.uses[s.number] = true
	}
	burst := e.plan.mode.burst(s, e.plan)
	if e.plan.cycles {
		m := &meter{burst: burst, everyRound: e.plan.mode.everyRound}
		e.meters = append(e.meters, m)
		burst = m.poll
	}
	e.streams = append(e.streams, s)
	p.streams, p.bursts = append(p.streams, s), append(p.bursts, burst)
	return nil
}

// newStream describes a stream of a poller.
func (e *engine) newStream(w way) *stream {
	to := e.to[w.port]
	s := &stream{
		cache: e.set.Caches[w.owner], bufs: make([]*mbuf.Buf, e.plan.options.Burst),
		in: e.set.Ports[w.port], from: w.port, rxQueue: w.rx, out: e.set.Ports[to], number: to, txQueue: w.tx, peer: e.plan.peer(to), shared: w.shared,
	}
	copy(s.mac[:], s.out.MAC())
	if e.plan.mode.receives {
		s.rx = s.in.RxQueue(w.rx)
	}
	if e.plan.mode.transmits {
		s.tx = s.out.TxQueue(w.tx)
	}
	if e.plan.retry {
		s.retry = &retry{times: e.plan.retries, delay: e.plan.retryDelay, relax: e.pollers[w.owner].relax}
	}
	s.watch.Store(e.plan.newWatch(s))
	return s
}

// release gives the queues their own caches back, so that a port can be closed while the others
// are polled. No poller runs.
func (e *engine) release() {
	for _, s := range e.streams {
		if s.rx != nil {
			_ = s.rx.SetCache(nil)
		}
		if s.tx != nil {
			_ = s.tx.SetCache(nil)
		}
	}
}
