package main

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/pollers"
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// testRun is one run of forwarding, from start to stop.
type testRun struct {
	engine *engine
	group  *pollers.Group
	begun  *reading // counters at its start, or when they were cleared
	ended  *reading // ... and at its end, nil before
}

// start starts forwarding. txFirst is how many bursts every transmit queue sends before.
func (t *tester) start(txFirst int) error {
	if t.busy {
		return errors.New("Packet forwarding already started") //nolint:staticcheck // the words of testpmd
	}
	p := *t.plan // a run goes on with what it began with
	p.txFirst = txFirst
	p.screen, p.tags, p.csum = t.screen, t.tags(), t.checksums()
	if p.mode.name == "flowgen" {
		if err := checkFlowGen(p.segments); err != nil {
			return err
		}
	}
	ports := p.forwarding(t.set.Ports)
	if len(ports) == 0 {
		return errors.New("No port is to forward: port attach PORT adds one") //nolint:staticcheck // as testpmd's
	}
	for _, i := range ports {
		if t.ports[i].stopped {
			return errors.New("Not all ports were started") //nolint:staticcheck // the words of testpmd
		}
	}
	e, err := newEngine(&p, t.set)
	if err != nil {
		return err
	}
	r := &testRun{engine: e}
	if p.flush {
		e.flush()
	}
	r.begin(t.set.Ports)
	t.describeForwarding(e)
	if p.mode.name == "flowgen" {
		for _, i := range e.ports {
			fmt.Fprintf(t.screen, "  number of flows for port %d: %d\n", i, p.flowCount())
		}
	}
	t.describeRings(e)
	if err := survive(e, e.begin); err != nil {
		return err
	}
	list := e.pollersOf()
	cpus := p.options.CPUs
	cpus = cpus[:min(len(cpus), len(list))]
	if r.group, err = pollers.Start(cpus, list, p.options.Logger); err != nil {
		e.release()
		return err
	}
	t.run, t.busy = r, true
	return nil
}

// begin makes the counters of the run begin at 0.
func (r *testRun) begin(ports []*driver.Port) {
	r.begun = r.read(ports)
	for _, s := range r.engine.streams {
		s.badIP.Store(0)
		s.badL4.Store(0)
		s.watch.Store(r.engine.plan.newWatch(s))
	}
}

// stop ends forwarding and shows what it did.
func (t *tester) stop() {
	fmt.Fprintln(t.screen, "Telling cores to stop...\nWaiting for lcores to finish...")
	t.halt()
	t.showForwarding()
	fmt.Fprintln(t.screen, "\nDone.")
}

// halt ends forwarding.
func (t *tester) halt() {
	r := t.run
	r.group.Stop()
	for range r.engine.pollers {
		if err := <-r.group.Failed(); err != nil {
			t.report(err)
		}
	}
	if err := survive(r.engine, r.engine.end); err != nil {
		t.report(err)
	}
	r.engine.release()
	t.busy = false
	r.ended = r.read(t.set.Ports)
}

// survive calls do, which has all queues for itself. A memory fault is an error.
func survive(e *engine, do func()) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		cause, isError := recover().(error)
		if !isError {
			return
		}
		err = cause
		for i := range e.pollers {
			e.pollers[i].abandon(cause)
		}
	}()
	do()
	return nil
}

// flushRounds bounds the bursts that are taken from a queue before forwarding.
const flushRounds = 1024

// flush frees what is in the receive queues.
func (e *engine) flush() {
	for _, s := range e.streams {
		if s.rx == nil {
			continue
		}
		for range flushRounds {
			n := s.rx.Burst(s.bufs)
			if n == 0 {
				break
			}
			mbuf.Free(s.bufs[:n])
		}
	}
}

// showNothing shows what ports did before the first run.
func (t *tester) showNothing() {
	var b strings.Builder
	for _, i := range t.plan.forwarding(t.set.Ports) {
		fmt.Fprintf(&b, "\n  %s Forward statistics for port %-2d %s\n", forwardHead, i, forwardHead)
		new(traffic).write(&b, t.plan.mode.name == "csum")
		fmt.Fprintf(&b, "  %s\n", forwardFoot)
	}
	new(traffic).writeTotal(&b)
	fmt.Fprint(t.screen, b.String())
}

// showForwarding shows what the run did so far.
func (t *tester) showForwarding() {
	r := t.run
	n := r.gained(t.set.Ports)
	var b strings.Builder
	several := len(r.engine.streams) > len(r.engine.ports)
	if several {
		r.engine.writeStreams(&b, n)
	}
	var total traffic
	for _, i := range r.engine.ports {
		p := n.traffic(r.engine, i)
		total.add(p)
		fmt.Fprintf(&b, "\n  %s Forward statistics for port %-2d %s\n", forwardHead, i, forwardHead)
		p.write(&b, r.engine.plan.mode.name == "csum")
		if !several {
			r.engine.writeBursts(&b, i)
		}
		fmt.Fprintf(&b, "  %s\n", forwardFoot)
	}
	total.writeTotal(&b)
	if r.engine.plan.cycles && n.cycles > 0 {
		c := r.engine.cyclesOf(n, total)
		fmt.Fprintf(&b, "\n  CPU cycles/packet=%.2f (total cycles=%d / total %s packets=%d) at %.0f MHz Clock\n",
			c.PerPacket, c.Busy, c.Mode, c.Packets, c.MHz)
	}
	fmt.Fprint(t.screen, b.String())
}
