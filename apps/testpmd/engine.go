package main

import (
	"github.com/virtio-pmd/virtio-pmd/apps/internal/portset"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// engine is the streams of a plan over its open ports and the pollers they are
// dealt to.
type engine struct {
	plan    *plan
	set     *portset.Set
	to      []int // the port that each one's packets leave by
	pollers []poller
	outs    [][]*stream // per port, those that transmit on it
	meters  []*meter
	clock   clock
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
		plan: p, set: set, to: portset.Pairs(len(set.Ports)),
		pollers: make([]poller, len(set.Caches)), outs: make([][]*stream, len(set.Ports)),
	}
	for i := range e.pollers {
		e.pollers[i].uses = map[int]bool{}
	}
	dealt := 0
	for i := range set.Ports {
		n, err := e.deal(i, dealt)
		if err != nil {
			return nil, err
		}
		dealt += n
	}
	devices := set.Devices(func(i, port int) bool { return e.pollers[i].uses[port] })
	for i := range e.pollers {
		e.pollers[i].devices = devices[i]
	}
	return e, nil
}

// deal gives the streams of port i to pollers, one after the other from that of
// number first, and returns how many pollers it went through. A transmit queue has
// one owner: where a port receives by more queues than the other transmits by, the
// streams that share a transmit queue go to the same poller.
func (e *engine) deal(i, first int) (owners int, err error) {
	in, out := e.set.Ports[i], e.set.Ports[e.to[i]]
	streams, queues := in.Queues(), out.Queues()
	switch {
	case !e.plan.mode.transmits:
		queues = streams
	case !e.plan.mode.receives:
		streams = queues
	}
	for q := range streams {
		owner := (first + q%queues) % len(e.pollers)
		if err := e.add(i, q, q%queues, owner); err != nil {
			return 0, err
		}
	}
	return min(streams, queues), nil
}

// add makes the stream from receive queue rx of port i to transmit queue tx of
// the paired one.
func (e *engine) add(i, rx, tx, owner int) error {
	cache := e.set.Caches[owner]
	bufs := make([]*mbuf.Buf, e.plan.options.Burst)
	s := &stream{cache: cache, bufs: bufs, number: e.to[i], out: e.set.Ports[e.to[i]]}
	if e.plan.mode.receives {
		s.rx = e.set.Ports[i].RxQueue(rx)
		if err := s.rx.SetCache(cache); err != nil {
			return err
		}
	}
	if e.plan.mode.transmits {
		s.tx = s.out.TxQueue(tx)
		if err := s.tx.SetCache(cache); err != nil {
			return err
		}
		e.outs[s.number] = append(e.outs[s.number], s)
	}
	burst := e.plan.mode.burst(s, e.plan)
	if e.plan.cycles {
		m := &meter{burst: burst, everyRound: e.plan.mode.everyRound}
		e.meters = append(e.meters, m)
		burst = m.poll
	}
	p := &e.pollers[owner]
	if s.rx != nil {
		p.uses[i] = true
	}
	if s.tx != nil {
		p.uses[s.number] = true
	}
	p.streams, p.bursts = append(p.streams, s), append(p.bursts, burst)
	return nil
}
