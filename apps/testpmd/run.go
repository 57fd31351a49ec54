package main

import (
	"context"
	"fmt"
	"io"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/portset"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/report"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/session"
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// run moves packets until ctx ends, a port fails or a poller does.
func (p *plan) run(ctx context.Context, stdout, stderr io.Writer) error {
	return p.session().Run(ctx, stdout, stderr)
}

// session describes the run of the plan. The pollers also poll the emulated devices, so
// that a port between two of them takes one CPU and not three, unless the pollers sleep: then the
// devices have to wake them.
func (p *plan) session() *session.Session {
	s := &session.Session{App: "testpmd", Options: p.options, PollDevices: p.idle == 0, Cables: p.cables, Frame: p.frame()}
	all := make([]*driver.Port, len(p.specs))
	for i := range all {
		all[i] = new(driver.Port) // only which ones there are counts here
	}
	to := p.pairs(p.forwarding(all))
	for i, spec := range p.specs {
		s.Ports = append(s.Ports, session.Port{Spec: spec, Number: i, Role: p.mode.role(to[i])})
	}
	s.Prepare = func(set *portset.Set) (session.Work, error) {
		e, err := newEngine(p, set)
		if err != nil {
			return session.Work{}, err
		}
		work := session.Work{Begin: e.begin, End: e.end, Dropped: e.droppedByQueue}
		if p.cycles {
			work.Cycles = e.coreCycles
		}
		work.Pollers = e.pollersOf()
		return work, nil
	}
	return s
}

// role says in words what a mode does with the packets of a port that is paired
// with port to.
func (m *mode) role(to int) string {
	role := "(" + m.name + ")"
	if m.receives && m.transmits {
		role = fmt.Sprintf("-> port %d %s", to, role)
	}
	return role
}

// begin sends on every transmit queue what --tx-first asks for. No poller has
// started yet, so that all queues belong to this goroutine.
func (e *engine) begin() {
	e.clock = startClock()
	if e.plan.txFirst == 0 {
		return
	}
	for _, i := range e.ports {
		port := e.set.Ports[i]
		for q := range least(port.Queues(), e.plan.txq) {
			bufs := make([]*mbuf.Buf, e.plan.options.Burst)
			s := &stream{tx: port.TxQueue(q), cache: e.set.Caches[0], bufs: bufs, number: i, out: port, peer: e.plan.peer(i)}
			e.outs[i] = append(e.outs[i], s)
			send := newTxOnly(s, e.plan)
			for range e.plan.txFirst {
				send()
				if poll := e.set.EmuPolls[i]; poll != nil {
					poll()
				}
			}
		}
	}
}

// end sends what was held back, and has the emulated devices take what was sent.
func (e *engine) end() {
	for _, s := range e.streams {
		if s.held != nil {
			s.held.release()
		}
	}
	for i := range e.pollers {
		e.pollers[i].devices.Drain()
	}
	for _, s := range e.sleepers {
		s.Close()
	}
}

// dropped returns how many packets found the queues of port i full.
func (e *engine) dropped(i int) uint64 {
	var n uint64
	for _, s := range e.outs[i] {
		n += s.dropped.Load()
	}
	return n
}

// droppedByQueue returns how many packets found each queue of port i full.
func (e *engine) droppedByQueue(i int) []uint64 {
	list := make([]uint64, e.set.Ports[i].Queues())
	for _, s := range e.outs[i] {
		list[s.txQueue] += s.dropped.Load()
	}
	return list
}

// coreCycles returns what the meters counted for the packets of the mode.
func (e *engine) coreCycles() *report.Cycles {
	c := &report.Cycles{Mode: e.plan.mode.name, Clock: lcore.ClockName, MHz: e.clock.mhz()}
	c.Busy = e.busy()
	for _, i := range e.ports {
		port := e.set.Ports[i]
		c.Packets += e.plan.mode.packets(port.Stats())
	}
	if c.Packets > 0 {
		c.PerPacket = float64(c.Busy) / float64(c.Packets)
	}
	return c
}

// busy returns the cycles of all bursts.
func (e *engine) busy() uint64 {
	var n uint64
	for _, m := range e.meters {
		n += m.cycles.Load()
	}
	return n
}
