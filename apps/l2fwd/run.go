package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/frame"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/pollers"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/portset"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/report"
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// forwarder is the open ports and who polls them.
type forwarder struct {
	plan    *plan
	set     *portset.Set
	pollers []*poller
	caches  []*mbuf.Cache
	group   *pollers.Group
	outs    [][]*output // per port, those that transmit on it
}

// run forwards until ctx ends, a port fails or a poller does.
func (p *plan) run(ctx context.Context, stdout, stderr io.Writer) error {
	for _, name := range p.skipped {
		fmt.Fprintf(stderr, "l2fwd: no pair of --portmap names port %s: it is not used\n", name)
	}
	set, err := p.openPorts(ctx)
	if err != nil {
		return err
	}
	f, err := newForwarder(p, set)
	if err != nil {
		return errors.Join(err, f.close())
	}
	session := f.session()
	for _, port := range session.Ports {
		fmt.Fprintf(stderr, "l2fwd: port %d: %s %s, path: %s\n", port.Number, port.Name, port.Role, port.Path)
	}
	session.Start = time.Now()
	if err := f.start(); err != nil {
		return errors.Join(err, f.close())
	}
	session.Pollers = f.group.Load()
	err = f.group.Watch(ctx, session, p.options.StatsPeriod, set.Failed(), stderr)
	elapsed := time.Since(session.Start)
	f.stop()
	return errors.Join(err, p.print(session, elapsed, stdout, stderr), f.close())
}

// openPorts opens the ports that pairs name.
func (p *plan) openPorts(ctx context.Context) (*portset.Set, error) {
	return portset.Open(ctx, portset.Config{
		Specs: p.specs, Burst: p.options.Burst, Pollers: pollers.Count(p.options.CPUs), PoolSize: p.options.PoolSize,
		NoHuge: p.options.NoHuge, Stepped: true, Logger: p.options.Logger, Cables: p.cables, Open: p.open,
	})
}

// print writes the outcome: an object for scripts, or a summary for people.
func (p *plan) print(session *report.Session, elapsed time.Duration, stdout, stderr io.Writer) error {
	if !p.options.JSON {
		return session.WriteSummary(stdout, elapsed)
	}
	return errors.Join(session.WriteSummary(stderr, elapsed), session.Object(elapsed).WriteJSON(stdout))
}

// newForwarder deals the ports out to pollers, in turn: all queues of a port to
// one, so that a transmit queue, to which only one port sends, has one owner.
func newForwarder(p *plan, set *portset.Set) (*forwarder, error) {
	f := &forwarder{plan: p, set: set, outs: make([][]*output, len(set.Ports))}
	for range pollers.Count(p.options.CPUs) {
		f.pollers = append(f.pollers, &poller{burst: p.options.Burst, epoch: time.Now(), uses: map[int]bool{}})
		f.caches = append(f.caches, set.Pool.NewCache(portset.CacheSize))
	}
	for i := range set.Ports {
		if err := f.deal(i, i%len(f.pollers)); err != nil {
			return f, err
		}
	}
	for i, turn := range set.Turns {
		for _, p := range f.pollers {
			if turn != nil && p.uses[i] {
				p.turns = append(p.turns, turn)
			}
		}
	}
	return f, nil
}

// deal gives the queues of port i, and those its packets leave by, to a poller.
func (f *forwarder) deal(i, owner int) error {
	in, to := f.set.Ports[i], f.plan.to[i]
	out := f.set.Ports[to]
	var header *frame.MAC
	if f.plan.updateMACs {
		header = frame.NewMAC(f.plan.numbers[to], out.MAC())
	}
	p, cache := f.pollers[owner], f.caches[owner]
	p.uses[i], p.uses[to] = true, true
	var outs []*output
	for q := range out.Queues() {
		tx := out.TxQueue(q)
		if err := tx.SetCache(cache); err != nil {
			return err
		}
		// Room for a burst behind one that is not quite full.
		outs = append(outs, &output{tx: tx, cache: cache, header: header, bufs: make([]*mbuf.Buf, 2*p.burst)})
	}
	for q := range in.Queues() {
		rx := in.RxQueue(q)
		if err := rx.SetCache(cache); err != nil {
			return err
		}
		p.lanes = append(p.lanes, lane{rx: rx, out: outs[q%len(outs)]})
	}
	p.outs = append(p.outs, outs...)
	f.outs[to] = outs
	return nil
}

// start has the pollers poll.
func (f *forwarder) start() error {
	var polls []func() bool
	for _, p := range f.pollers {
		polls = append(polls, p.poll)
	}
	var err error
	f.group, err = pollers.Start(f.plan.options.CPUs, polls)
	return err
}

// stop ends the polling and sends what still waits. Emulated devices get the
// turns they need to take it, so that a recording is complete; a real device
// has as long as it takes to close the ports.
func (f *forwarder) stop() {
	f.group.Stop()
	for _, p := range f.pollers {
		for _, o := range p.outs {
			o.flush()
		}
		for moved, rounds := 1, 0; moved > 0 && rounds < lastRounds; rounds++ {
			moved = 0
			for _, turn := range p.turns {
				moved += turn()
			}
		}
	}
}

// lastRounds bounds the turns after the end: more than the largest ring takes.
const lastRounds = 2048

// close closes the ports, whose buffers come back through the caches.
func (f *forwarder) close() error {
	return f.set.Close(f.caches...)
}

// session describes the ports to those who show them.
func (f *forwarder) session() *report.Session {
	s := &report.Session{App: "l2fwd", Planned: f.plan.options.Duration}
	for i, port := range f.set.Ports {
		s.Ports = append(s.Ports, report.Port{
			Number: f.plan.numbers[i], Name: f.plan.specs[i].Text, Role: fmt.Sprintf("-> port %d", f.plan.numbers[f.plan.to[i]]),
			Path: port.Path().String(), Features: port.Features().Names(),
			State: func() string { return "link " + port.Link().String() },
			Stats: func() driver.Stats { return f.stats(i) },
		})
	}
	return s
}

// stats adds what was dropped in front of a port's queues to what the port counts.
func (f *forwarder) stats(i int) driver.Stats {
	s := f.set.Ports[i].Stats()
	for _, o := range f.outs[i] {
		s.TxDropped += o.dropped.Load()
	}
	return s
}
