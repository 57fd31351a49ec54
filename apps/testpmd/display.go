package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/testpmd/grammar"
	"github.com/virtio-pmd/virtio-pmd/driver"
)

// showCommands show and clear what there is to know.
func (t *tester) showCommands() []grammar.Command {
	return []grammar.Command{
		{Form: "show port (info|stats|xstats|summary) (PORT|all)", Section: inDisplay,
			Help: "Display information for a port, or all.", Do: t.showPort},
		{Form: "clear port (stats|xstats|info) (PORT|all)", Section: inDisplay,
			Help: "Clear information for a port, or all.", Do: t.clearPort},
		{Form: "show fwd stats all", Section: inDisplay, Help: "Display statistics for all fwd engines.",
			Do: func(grammar.Match) error {
				if t.run == nil {
					t.showNothing()
					return nil
				}
				t.showForwarding()
				return nil
			}},
		{Form: "clear fwd stats all", Section: inDisplay, Help: "Clear statistics for all fwd engines.",
			Do: func(grammar.Match) error {
				if t.run != nil {
					t.run.begin(t.set.Ports)
				}
				return nil
			}},
		{Form: "show (rxq|txq) info PORT QUEUE", Section: inDisplay, Help: "Display information for configured RX/TX queue.",
			Do: t.showQueue},
		{Form: "show config (fwd|rxtx|cores|txpkts)", Section: inDisplay, Help: "Display the given configuration.", Do: t.showConfig},
	}
}

func (t *tester) showPort(m grammar.Match) error {
	what := m.Words[2]
	if what == "summary" {
		fmt.Fprintf(t.screen, "Number of available ports: %d\n", len(t.portNumbers()))
		fmt.Fprintf(t.screen, "%s %-17s %-12s %-14s %-8s %s\n", "Port", "MAC Address", "Name", "Driver", "Status", "Link")
	}
	return t.each(m.Words[3], func(p *port) error {
		switch what {
		case "info":
			t.showInfo(p)
		case "summary":
			status := "down"
			if p.linkUp() {
				status = "up"
			}
			fmt.Fprintf(t.screen, "%-4d %s %-12s %-14s %-8s %s\n", p.number, address(p.dev.MAC()), p.name(), driverName(p.spec), status, speed(p.dev.Link()))
		case "stats":
			t.showStats(p)
		case "xstats":
			t.showXstats(p)
		}
		return nil
	})
}

// linkUp reports whether packets can flow.
func (p *port) linkUp() bool { return p.dev.Link().Up && !p.stopped }

// speed writes the speed of a link as DPDK does.
func speed(l driver.Link) string {
	switch s := l.Speed; {
	case s == 0:
		return "Unknown"
	case s%1000 == 0:
		return fmt.Sprintf("%d Gbps", s/1000)
	default:
		return fmt.Sprintf("%d Mbps", s)
	}
}

// showStats shows the counters of a port since they were cleared, and its rates since they were
// shown.
func (t *tester) showStats(p *port) {
	now, at := p.dev.Stats(), time.Now()
	period := at.Sub(p.shownAt)
	r := ratesOf(now, p.shown, period)
	p.shown, p.shownAt = now, at
	var b strings.Builder
	writePortStats(&b, p.number, since(now, p.cleared), r)
	t.writeChosen(&b, p, now, period)
	fmt.Fprintf(&b, "  %s\n", portFoot)
	fmt.Fprint(t.screen, b.String())
}

func (t *tester) clearPort(m grammar.Match) error {
	return t.each(m.Words[3], func(p *port) error {
		if m.Words[2] != "stats" {
			p.clearedX = map[string]uint64{}
			for _, x := range p.dev.ExtendedStats() {
				p.clearedX[x.Name] = x.Value
			}
			return nil
		}
		p.cleared = p.dev.Stats()
		fmt.Fprintf(t.screen, "\n  NIC statistics for port %d cleared\n", p.number)
		return nil
	})
}

// showXstats shows extended statistics, a name and a value on a line.
func (t *tester) showXstats(p *port) {
	var b strings.Builder
	fmt.Fprintf(&b, "###### NIC extended statistics for port %-2d\n", p.number)
	for _, x := range p.dev.ExtendedStats() {
		if n := p.sinceCleared(x); n > 0 || !t.hideZero {
			fmt.Fprintf(&b, "%s: %d\n", x.Name, n)
		}
	}
	fmt.Fprint(t.screen, b.String())
}

// sinceCleared returns an extended statistic without what it had when it was cleared.
func (p *port) sinceCleared(x driver.ExtendedStat) uint64 {
	return x.Value - min(p.clearedX[x.Name], x.Value)
}

// writeChosen shows the extended statistics that --display-xstats names, with their rates.
func (t *tester) writeChosen(b *strings.Builder, p *port, now driver.Stats, since time.Duration) {
	if len(t.plan.xstats) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%36s%35s\n", "Value", "Rate (since last show)")
	last := p.shownX
	p.shownX = map[string]uint64{}
	for _, x := range now.Extended() {
		if !slices.Contains(t.plan.xstats, x.Name) {
			continue
		}
		p.shownX[x.Name] = x.Value
		rate := uint64(0)
		if before, ok := last[x.Name]; ok && since > 0 && x.Value > before {
			rate = uint64(float64(x.Value-before) / since.Seconds())
		}
		fmt.Fprintf(b, "  %-25s %11d %15d\n", x.Name, p.sinceCleared(x), rate)
	}
}

func (t *tester) showConfig(m grammar.Match) error {
	p := *t.plan
	switch m.Words[2] {
	case "cores":
		var cores []string
		for i := range p.pollers(len(t.set.Caches)) {
			cores = append(cores, fmt.Sprint(t.plan.core(i)))
		}
		fmt.Fprintf(t.screen, "List of forwarding lcores:  %s\n", strings.Join(cores, " "))
		return nil
	case "txpkts":
		fmt.Fprintf(t.screen, "Number of segments: %d\nSegment sizes: %s\nSplit packet: off\n",
			len(p.segments), strings.Trim(strings.ReplaceAll(fmt.Sprint(p.segments), " ", ","), "[]"))
		return nil
	}
	e := &engine{plan: &p, set: t.set}
	if t.busy { // the streams of the run, in the mode of the next
		running := *t.run.engine
		running.plan, e = &p, &running
	} else if len(p.forwarding(t.set.Ports)) > 0 {
		var err error
		if e, err = newEngine(&p, t.set); err != nil {
			return err
		}
		defer e.release()
	}
	if m.Words[2] == "fwd" {
		t.describeForwarding(e)
		return nil
	}
	t.describeRings(e)
	return nil
}

func (t *tester) showQueue(m grammar.Match) error {
	p, err := t.port(m.Words[3])
	if err != nil {
		return err
	}
	q, direction := m.Int(4), "RX"
	if m.Words[1] == "txq" {
		direction = "TX"
	}
	if q >= p.dev.Queues() {
		return fmt.Errorf("Invalid %s queue_id=%d\nFailed to retrieve information for port: %d, %s queue: %d\n"+ //nolint:staticcheck // the words of testpmd
			"error desc: Invalid argument(-22)", direction[:1]+"x", q, p.number, direction, q)
	}
	info := p.dev.Info()
	ring := ringSize(info, q, direction == "RX")
	var b strings.Builder
	b.WriteString(stars(fmt.Sprintf("Infos for port %-2d, %s queue %-2d", p.number, direction, q)))
	switch direction {
	case "RX":
		fmt.Fprintf(&b, "Mempool: mb_pool_0\nRX prefetch threshold: 0\nRX host threshold: 0\nRX writeback threshold: 0\nRX free threshold: 0\n")
		fmt.Fprintf(&b, "RX drop packets: off\nRX deferred start: off\nRX scattered packets: %s\nRx queue state: %s\nNumber of RXDs: %d\n", onOff(t.scatters(p)), queueState(info, q, true), ring)
		n := p.dev.RxQueue(q).Stats()
		fmt.Fprintf(&b, "Posted: %d  Polls: %d  Empty polls: %d  Kicks: %d\n", n.Posted, n.Polls, n.EmptyPolls, n.Kicks)
	default:
		fmt.Fprintf(&b, "TX prefetch threshold: 0\nTX host threshold: 0\nTX writeback threshold: 0\nTX RS threshold: 0\nTX free threshold: 0\n")
		fmt.Fprintf(&b, "TX deferred start: off\nTx queue state: %s\nNumber of TXDs: %d\n", queueState(info, q, false), ring)
		n := p.dev.TxQueue(q).Stats()
		fmt.Fprintf(&b, "Posted: %d  Polls: %d  Full: %d  Kicks: %d\n", n.Posted, n.Polls, n.Full, n.Kicks)
	}
	fmt.Fprintln(t.screen, b.String())
	return nil
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
