package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/pollers"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/portset"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/report"
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// engine is the open ports and who polls them.
type engine struct {
	plan    *plan
	set     *portset.Set
	to      []int // the port that each one's packets leave by
	caches  []*mbuf.Cache
	pollers []poller
	outs    [][]*stream // per port, those that transmit on it
	meters  []*meter
	group   *pollers.Group
}

// run moves packets until ctx ends, a port fails or a poller does.
func (p *plan) run(ctx context.Context, stdout, stderr io.Writer) error {
	set, err := portset.Open(ctx, portset.Config{
		Specs: p.specs, Burst: p.options.Burst, Pollers: pollers.Count(p.options.CPUs), PoolSize: p.options.PoolSize,
		NoHuge: p.options.NoHuge, Logger: p.options.Logger, Cables: p.cables,
	})
	if err != nil {
		return err
	}
	e, err := newEngine(p, set)
	if err != nil {
		return errors.Join(err, e.close())
	}
	session := e.session()
	for _, port := range session.Ports {
		fmt.Fprintf(stderr, "testpmd: port %d: %s %s, path: %s\n", port.Number, port.Name, port.Role, port.Path)
	}
	clock := startClock()
	if err := e.start(); err != nil {
		return errors.Join(err, e.close())
	}
	session.Pollers = e.group.Load()
	err = e.group.Watch(ctx, session, p.options.StatsPeriod, set.Failed(), stderr)
	e.group.Stop()
	elapsed, mhz := time.Since(session.Start), clock.mhz()
	return errors.Join(err, e.print(session, elapsed, mhz, stdout, stderr), e.close())
}

// print writes the outcome: an object for scripts, or a summary for people.
func (e *engine) print(session *report.Session, elapsed time.Duration, mhz float64, stdout, stderr io.Writer) error {
	people := stdout
	if e.plan.options.JSON {
		people = stderr
	}
	object := session.Object(elapsed)
	errs := []error{session.WriteSummary(people, elapsed)}
	if e.plan.cycles {
		var packets uint64
		for _, port := range e.set.Ports {
			packets += e.plan.mode.packets(port.Stats())
		}
		object.Cycles = coreCycles(e.meters, packets, mhz)
		_, err := io.WriteString(people, cyclesLine(object.Cycles, e.plan.mode.name))
		errs = append(errs, err)
	}
	if e.plan.options.JSON {
		errs = append(errs, object.WriteJSON(stdout))
	}
	return errors.Join(errs...)
}

// start sends what --tx-first asks for and has the pollers poll.
func (e *engine) start() error {
	e.sendFirst()
	polls := make([]func() bool, len(e.pollers))
	for i := range e.pollers {
		polls[i] = e.pollers[i].function()
	}
	var err error
	e.group, err = pollers.Start(e.plan.options.CPUs, polls)
	return err
}

// sendFirst sends on every transmit queue what --tx-first asks for. Nobody polls
// yet, so that all queues are this goroutine's.
func (e *engine) sendFirst() {
	if e.plan.txFirst == 0 {
		return
	}
	for i, port := range e.set.Ports {
		for q := range port.Queues() {
			s := &stream{tx: port.TxQueue(q), cache: e.caches[0], bufs: make([]*mbuf.Buf, e.plan.options.Burst), number: i, out: port}
			e.outs[i] = append(e.outs[i], s)
			send := newTxOnly(s, e.plan)
			for range e.plan.txFirst {
				send()
			}
		}
	}
}

// close closes the ports, whose buffers come back through the caches.
func (e *engine) close() error {
	return e.set.Close(e.caches...)
}

// session describes the ports to those who show them.
func (e *engine) session() *report.Session {
	s := &report.Session{App: "testpmd", Start: time.Now(), Planned: e.plan.options.Duration}
	for i, port := range e.set.Ports {
		role := "(" + e.plan.mode.name + ")"
		if e.plan.mode.receives && e.plan.mode.transmits {
			role = fmt.Sprintf("-> port %d %s", e.to[i], role)
		}
		s.Ports = append(s.Ports, report.Port{
			Number: i, Name: e.plan.specs[i].Text, Role: role,
			Path: port.Path().String(), Features: port.Features().Names(),
			State: func() string { return "link " + port.Link().String() },
			Stats: func() driver.Stats { return e.stats(i) },
		})
	}
	return s
}

// stats adds what was dropped in front of a port's queues to what the port counts.
func (e *engine) stats(i int) driver.Stats {
	n := e.set.Ports[i].Stats()
	for _, s := range e.outs[i] {
		n.TxDropped += s.dropped.Load()
	}
	return n
}
