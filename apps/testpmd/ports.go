package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/dpdk"
	"github.com/virtio-pmd/virtio-pmd/apps/testpmd/grammar"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// portCommands start, stop, add and remove ports, and change how they are set up.
func (t *tester) portCommands() []grammar.Command {
	return []grammar.Command{
		{Form: "port start (PORT|all)", Section: inPorts, Help: "Start all ports or one, set up anew where that was changed.",
			Do: func(m grammar.Match) error { return t.portStart(m.Words[2]) }},
		{Form: "port stop (PORT|all)", Section: inPorts, Help: "Stop all ports or one.",
			Do: func(m grammar.Match) error { return t.portStop(m.Words[2]) }},
		{Form: "port close (PORT|all)", Section: inPorts, Help: "Close all ports or one; it must be stopped.",
			Do: func(m grammar.Match) error { return t.portClose(m.Words[2]) }},
		{Form: "port reset (PORT|all)", Section: inPorts, Help: "Set all ports or one up anew; it must be stopped.",
			Do: func(m grammar.Match) error { return t.portReset(m.Words[2]) }},
		{Form: "port attach DEVICE", Section: inPorts, Help: "Add a port.",
			Do: func(m grammar.Match) error { return t.attach(m.Words[2]) }},
		{Form: "port detach PORT", Section: inPorts, Help: "Remove a port; it must be stopped.",
			Do: func(m grammar.Match) error { return t.detach(m.Words[2]) }},
		{Form: "port config all (rxq|txq|rxd|txd) N", Section: inPorts,
			Help: "Set the number of queues of all ports, or of descriptors of a queue; the ports must be stopped.", Do: t.configAll},
		{Form: "port config all (txfreet|txrst|rxfreet|rxht|rxpt|rxwt|txht|txpt|txwt|max-lro-pkt-size) N", Section: inPorts,
			Help: "Accepted, and without a meaning here: a virtio queue has no such registers.", Do: t.configNothing},
		{Form: "port config all drop-en (on|off)", Section: inPorts,
			Help: "Accepted, and without a meaning here: a full receive queue does not hold up the others.", Do: t.configNothing},
		{Form: "device detach DEVICE", Section: inDevices, Help: "Remove the port of a device; it must be stopped.",
			Do: func(m grammar.Match) error { return t.detachDevice(m.Words[2]) }},
	}
}

// forwards reports whether packets are being forwarded by a port.
func (t *tester) forwards(p *port) bool {
	return t.busy && slices.Contains(t.run.engine.ports, p.number)
}

func (t *tester) portStop(word string) error {
	list, err := t.selected(word)
	if err != nil {
		return err
	}
	stopped := false
	return t.carryOut("Stopping ports...", list, &stopped, func(p *port) error {
		if t.forwards(p) {
			return inUse(p)
		}
		stopped = stopped || !p.stopped
		p.stopped = true
		return nil
	})
}

// inUse is the error of a port that would have to be left out of forwarding for a command.
func inUse(p *port) error {
	return fmt.Errorf("Please remove port %d from forwarding configuration.\n  stop ends forwarding", p.number) //nolint:staticcheck // the words of testpmd
}

// carryOut does something to several ports, says what goes wrong with one between the lines that
// begin and end it, as testpmd does, and that the links were looked at if any port was changed.
func (t *tester) carryOut(begin string, list []*port, changed *bool, do func(*port) error) error {
	if begin != "" {
		fmt.Fprintln(t.screen, begin)
	}
	for _, p := range list {
		if err := do(p); err != nil {
			t.report(err)
		}
	}
	if *changed {
		fmt.Fprintln(t.screen, "Checking link statuses...")
	}
	fmt.Fprintln(t.screen, "Done")
	return nil
}

func (t *tester) portStart(word string) error {
	list, err := t.selected(word)
	if err != nil {
		return err
	}
	started := false
	return t.carryOut("", list, &started, func(p *port) error {
		if !p.stopped {
			return fmt.Errorf("Port %d is now not stopped\nPlease stop the ports first", p.number) //nolint:staticcheck // the words of testpmd
		}
		if p.next != nil {
			fmt.Fprintf(t.screen, "Configuring Port %d (socket 0)\n", p.number)
			if err := t.reopen(p, *p.next); err != nil {
				return fmt.Errorf("Fail to configure port %d: %w", p.number, err) //nolint:staticcheck // the words of testpmd
			}
		}
		p.stopped, started = false, true
		fmt.Fprintf(t.screen, "Port %d: %s\n", p.number, address(p.dev.MAC()))
		return nil
	})
}

func (t *tester) portClose(word string) error {
	list, err := t.selected(word)
	if err != nil {
		return err
	}
	unchanged := false
	return t.carryOut("Closing ports...", list, &unchanged, func(p *port) error {
		switch {
		case t.forwards(p):
			return inUse(p)
		case !p.stopped:
			return fmt.Errorf("Cannot close started device (port %d)", p.number) //nolint:staticcheck // the words of testpmd
		}
		if err := t.remove(p); err != nil {
			return err
		}
		fmt.Fprintf(t.screen, "Port %d is closed\n", p.number)
		return nil
	})
}

// remove closes a port and forgets it.
func (t *tester) remove(p *port) error {
	t.ports[p.number] = nil
	return t.set.Remove(p.number)
}

func (t *tester) portReset(word string) error {
	list, err := t.selected(word)
	if err != nil {
		return err
	}
	for _, p := range list {
		if !p.stopped {
			return errors.New("Can not reset port(s), please stop port(s) first.") //nolint:staticcheck // the words of testpmd
		}
	}
	unchanged := false
	return t.carryOut("Resetting ports...", list, &unchanged, func(p *port) error {
		if err := t.reopen(p, p.wanted()); err != nil {
			return fmt.Errorf("Failed to reset port %d. %w", p.number, err) //nolint:staticcheck // the words of testpmd
		}
		return nil
	})
}

func (t *tester) attach(text string) error {
	fmt.Fprintln(t.screen, "Attaching a new port...")
	if port, notes, ok, err := dpdk.Device(text); err != nil {
		return err
	} else if ok {
		text = port
		for _, n := range notes {
			fmt.Fprintln(t.errors, n)
		}
	}
	spec, err := devargs.Parse(text)
	if err != nil {
		return err
	}
	if err := t.plan.limit(&spec); err != nil {
		return err
	}
	i := slices.Index(t.ports, nil)
	if i < 0 {
		i = len(t.ports)
	}
	if err := t.set.Add(t.ctx, i, spec); err != nil {
		return err
	}
	p := t.record(i, spec)
	p.stopped = true
	if err := t.prepare(p); err != nil {
		return err
	}
	fmt.Fprintf(t.screen, "Port %d is attached. Now total ports is %d\nDone\n", i, len(t.portNumbers()))
	return nil
}

func (t *tester) detach(word string) error {
	p, err := t.port(word)
	if err != nil {
		return err
	}
	if !p.stopped {
		return textError("Port not stopped")
	}
	fmt.Fprintln(t.screen, "Removing a device...")
	if err := t.remove(p); err != nil {
		return err
	}
	fmt.Fprintf(t.screen, "Device of port %d is detached\nNow total ports is %d\nDone\n", p.number, len(t.portNumbers()))
	return nil
}

func (t *tester) detachDevice(name string) error {
	for _, p := range t.ports {
		if p != nil && (p.name() == name || p.spec.Device() == name) {
			return t.detach(fmt.Sprint(p.number))
		}
	}
	return fmt.Errorf("no port has the device %s; show device info all lists them", name)
}

// stopFirst returns an error unless all ports are stopped.
func (t *tester) stopFirst() error {
	for _, p := range t.ports {
		if p != nil && !p.stopped {
			return textError("Please stop all ports first")
		}
	}
	return nil
}

// configNothing accepts what has no meaning here, and says so.
func (t *tester) configNothing(m grammar.Match) error {
	if err := t.stopFirst(); err != nil {
		return err
	}
	fmt.Fprintf(t.errors, "accepted, and without a meaning here: %s\n", m.Words[3])
	return nil
}

func (t *tester) configAll(m grammar.Match) error {
	if err := t.stopFirst(); err != nil {
		return err
	}
	n := m.Int(4)
	change := *t.plan
	for _, p := range t.ports { // what is not said stays as it is
		if p != nil {
			change.rxq, change.txq = max(change.rxq, least(p.dev.Queues(), change.rxq)), max(change.txq, least(p.dev.Queues(), change.txq))
		}
	}
	var set func(*devargs.Spec)
	switch m.Words[3] {
	case "rxq":
		change.rxq = n
	case "txq":
		change.txq = n
	case "rxd":
		set = func(s *devargs.Spec) { s.RxQueueSize = n }
	case "txd":
		set = func(s *devargs.Spec) { s.TxQueueSize = n }
	}
	if n < 1 || set == nil && n > virtio.MaxQueuePairs || n > virtio.MaxQueueSize {
		return fmt.Errorf("Warning: %s %d is out of range", strings.ToUpper(m.Words[3]), n) //nolint:staticcheck // as testpmd
	}
	for _, p := range t.ports {
		if p == nil {
			continue
		}
		spec := p.wanted()
		if set != nil {
			set(&spec)
		} else if most := p.dev.Info().MaxPairs; most > 0 && n > most {
			return fmt.Errorf("Fail: input %s (%d) can't be greater than max_%s_queues (%d) of port %d", m.Words[3], n, m.Words[3][:2], most, p.number) //nolint:staticcheck // the words of testpmd
		} else {
			spec.Queues = max(change.rxq, change.txq, 1)
		}
		if _, err := devargs.Parse(spec.String()); err != nil { // what goes together is checked there
			return err
		}
		p.want(spec)
	}
	if set == nil {
		t.plan.rxq, t.plan.txq = change.rxq, change.txq
	}
	return nil
}
