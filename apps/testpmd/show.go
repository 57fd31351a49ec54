package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/report"
	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
)

// describeForwarding shows which core forwards what, as testpmd does at the start.
func (t *tester) describeForwarding(e *engine) {
	var b strings.Builder
	p := e.plan
	fmt.Fprintf(&b, "%s packet forwarding%s - ports=%d - cores=%d - streams=%d - NUMA support enabled, MP allocation mode: native\n",
		p.mode.name, withRetry(p), len(e.ports), len(e.pollers), len(e.streams))
	if p.retry {
		fmt.Fprintf(&b, "TX retry num: %d, delay between TX retries: %dus\n", p.retries, p.retryDelay.Microseconds())
	}
	for i := range e.pollers {
		fmt.Fprintf(&b, "Logical Core %d (socket 0) forwards packets on %d streams:\n", t.plan.core(i), len(e.pollers[i].streams))
		for _, s := range e.pollers[i].streams {
			fmt.Fprintf(&b, "  RX P=%d/Q=%d (socket 0) -> TX P=%d/Q=%d (socket 0) peer=%s\n",
				s.from, s.rxQueue, s.number, s.txQueue, address(s.peer))
		}
	}
	fmt.Fprintln(&b)
	fmt.Fprint(t.screen, b.String())
}

func withRetry(p *plan) string {
	if p.retry {
		return " with retry"
	}
	return ""
}

// describeRings shows the queues of the ports that take part, as testpmd does at the start.
func (t *tester) describeRings(e *engine) {
	var b strings.Builder
	fmt.Fprintf(&b, "  %s packet forwarding%s packets/burst=%d\n", e.plan.mode.name, withRetry(e.plan), e.plan.options.Burst)
	if e.plan.mode.everyRound {
		fmt.Fprintf(&b, "  packet len=%d - nb packet segments=%d\n", e.plan.packetLen(), len(e.plan.segments))
	}
	fmt.Fprintf(&b, "  nb forwarding cores=%d - nb forwarding ports=%d\n", len(e.pollers), len(e.ports))
	for _, i := range e.ports {
		p := t.ports[i]
		info, rx, tx := p.dev.Info(), t.used(p, rxOffloads()), t.used(p, txOffloads())
		fmt.Fprintf(&b, "  port %d: RX queue number: %d Tx queue number: %d\n", i,
			least(p.dev.Queues(), e.plan.rxq), least(p.dev.Queues(), e.plan.txq))
		fmt.Fprintf(&b, "    Rx offloads=0x%x Tx offloads=0x%x\n", mask(rx), mask(tx))
		fmt.Fprintf(&b, "    RX queue: 0\n      RX desc=%d - RX free threshold=0\n", ringSize(info, 0, true))
		fmt.Fprintf(&b, "      RX threshold registers: pthresh=0 hthresh=0  wthresh=0\n      RX Offloads=0x%x\n", mask(rx))
		fmt.Fprintf(&b, "    TX queue: 0\n      TX desc=%d - TX free threshold=0\n", ringSize(info, 0, false))
		fmt.Fprintf(&b, "      TX threshold registers: pthresh=0 hthresh=0  wthresh=0\n      TX offloads=0x%x - TX RS bit threshold=0\n", mask(tx))
	}
	fmt.Fprint(t.screen, b.String())
}

// writeStreams shows the streams that moved packets.
func (e *engine) writeStreams(w io.Writer, n *reading) {
	for _, s := range e.streams {
		received, sent, dropped := n.stream(s)
		if received+sent+dropped == 0 {
			continue
		}
		fmt.Fprintf(w, "\n  ------- Forward Stats for RX Port=%2d/Queue=%2d -> TX Port=%2d/Queue=%2d -------\n",
			s.from, s.rxQueue, s.number, s.txQueue)
		fmt.Fprintf(w, "  RX-packets: %-14d TX-packets: %-14d TX-dropped: %-14d", received, sent, dropped)
		if e.plan.mode.name == "csum" {
			fmt.Fprintf(w, "  RX- bad IP checksum: %-14d  Rx- bad L4 checksum: %-14d Rx- bad outer L4 checksum: %-14d\n",
				s.badIP.Load(), s.badL4.Load(), 0)
			fmt.Fprintf(w, " RX- bad outer IP checksum: %-14d", 0)
		}
		fmt.Fprintln(w)
		s.watch.Load().write(w, s.rx != nil, s.tx != nil)
	}
}

// writeBursts shows how long the bursts of the streams that receive at a port were.
func (e *engine) writeBursts(w io.Writer, port int) {
	for _, s := range e.streams {
		if s.from == port {
			s.watch.Load().write(w, s.rx != nil, s.tx != nil)
		}
	}
}

// write shows how long bursts were, if that was recorded.
func (w *watch) write(out io.Writer, received, sent bool) {
	if w == nil || w.rxBursts == nil {
		return
	}
	if received {
		fmt.Fprintf(out, "  RX-bursts : %s\n", w.rxBursts.words())
	}
	if sent {
		fmt.Fprintf(out, "  TX-bursts : %s\n", w.txBursts.words())
	}
}

// cyclesOf returns what packets cost.
func (e *engine) cyclesOf(n *reading, all traffic) *report.Cycles {
	c := &report.Cycles{Mode: e.plan.mode.name, Clock: lcore.ClockName, MHz: e.clock.mhz(), Busy: n.cycles, Packets: all.rx}
	if e.plan.mode.everyRound {
		c.Packets = all.tx
	}
	c.PerPacket = float64(c.Busy) / float64(c.Packets) // without packets it is infinite, as testpmd shows
	return c
}
