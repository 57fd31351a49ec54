package main

import (
	"strconv"
	"sync"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/pollers"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/portset"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/bench"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/meter"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/pace"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
)

// rig is the open ports and the bench that sends over them, which is made anew for each
// size. Its methods may be called from any goroutine, but load and stop from one.
type rig struct {
	plan  *plan
	set   *portset.Set
	peers []int // the port at which the packets of each one arrive

	mu     sync.Mutex
	bench  *bench.Bench
	group  *pollers.Group
	load   func() string // how busy the pollers are
	failed chan error    // what ended a poller
}

func newRig(p *plan, set *portset.Set) *rig {
	return &rig{plan: p, set: set, peers: portset.Pairs(len(set.Ports)), failed: make(chan error, 1)}
}

// ports returns what streams have to know of the ports.
func (r *rig) ports() []port {
	list := make([]port, len(r.set.Ports))
	for i, p := range r.set.Ports {
		list[i] = port{mac: p.MAC(), peer: r.set.Ports[r.peers[i]].MAC()}
	}
	return list
}

// portName is what stands before the number of a port in trials.
const portName = "port "

// name returns how trials call a port.
func (r *rig) name(i int) string { return portName + strconv.Itoa(i) }

// change stops what polls and has the ports send other streams, or those of the scenario, at
// a rate of each that has none of its own. loadOnly leaves out those whose latency is measured.
func (r *rig) change(streams []*traffic.Stream, rate pace.Rate, loadOnly bool) error {
	r.stop()
	c := bench.Config{Streams: streams, Scenario: r.plan.traffic.scenario, LoadOnly: loadOnly, Rate: rate, LineRate: r.plan.lineRate,
		Caches: r.set.Caches, Burst: r.plan.options.Burst}
	if r.plan.verify {
		c.Verify = meter.Verify{Lengths: true, Checksums: true, Payload: true}
	}
	for i, p := range r.set.Ports {
		c.Ports = append(c.Ports, bench.Port{Name: r.name(i), Port: p, Peer: r.peers[i], Device: r.set.EmuPolls[i]})
	}
	b, err := bench.New(c)
	if err != nil {
		return err
	}
	var list []pollers.Poller
	for _, p := range b.Pollers() {
		list = append(list, pollers.Poller{Poll: p.Poll, Abandon: p.Abandon})
	}
	group, err := pollers.Start(r.plan.options.CPUs, list, r.plan.options.Logger)
	if err != nil {
		return err
	}
	go r.watch(group)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bench, r.group, r.load = b, group, group.Load()
	return nil
}

// watch passes on why a poller ended.
func (r *rig) watch(g *pollers.Group) {
	if err := <-g.Failed(); err != nil {
		select {
		case r.failed <- err:
		default: // another one has
		}
	}
}

// stop ends the polling.
func (r *rig) stop() {
	if _, group := r.current(); group != nil {
		group.Stop()
	}
}

// current returns the bench and its pollers, nil before the first one is made.
func (r *rig) current() (*bench.Bench, *pollers.Group) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bench, r.group
}

// busy says how busy the pollers are. One goroutine calls it.
func (r *rig) busy() string {
	r.mu.Lock()
	load := r.load
	r.mu.Unlock()
	if load == nil {
		return ""
	}
	return load()
}
