package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/pollers"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/portset"
	"github.com/virtio-pmd/virtio-pmd/apps/testpmd/console"
	"github.com/virtio-pmd/virtio-pmd/apps/testpmd/grammar"
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// tester is a testpmd that commands drive. It belongs to one goroutine, which reads commands and
// carries them out one after the other; packets move in others meanwhile.
type tester struct {
	plan *plan
	set  *portset.Set
	// ports has the ports by their numbers; nil where one was closed.
	ports []*port

	run  *testRun // that is in progress, or the last one; nil before the first
	busy bool     // run is in progress

	screen  io.Writer // answers go to
	errors  io.Writer // what went wrong goes to
	console console.Console
	grammar *grammar.Grammar
	ctx     context.Context // of the command that is carried out
	reading []string        // files that commands are being read from
	place   place           // of the line that is carried out
	leaving bool
	gsoLen  int // bytes of the packets that GSO makes

	hideZero bool // extended statistics that are 0 are not shown

	cancel struct {
		sync.Mutex
		command context.CancelFunc // calls off the command that is carried out
	}
}

// port is one port of a tester.
type port struct {
	number  int
	spec    devargs.Spec
	dev     *driver.Port
	stopped bool
	next    *devargs.Spec // how it is opened again when it is started, nil for as it is

	cleared  driver.Stats // counters when they were cleared
	shown    driver.Stats // ... and when they were shown last
	shownAt  time.Time
	clearedX map[string]uint64 // extended statistics when they were cleared
	shownX   map[string]uint64 // ... and those that were shown last
	failed   bool              // said once
	tags     tags
	csum     checksums
	given    devargs.Offload // that the text of the port asks for
	vlans    []uint16        // that pass its filter when that is switched on again
}

// newTester opens the ports of a plan.
func newTester(ctx context.Context, p *plan, screen, messages io.Writer) (*tester, error) {
	if err := pollers.Check(p.options.CPUs); err != nil {
		return nil, err
	}
	cfg := portset.Config{
		Specs: p.specs, Burst: p.options.Burst, Pollers: pollers.Count(p.options.CPUs), PoolSize: p.options.PoolSize,
		NoHuge: p.options.NoHuge, Logger: p.options.Logger, PollDevices: p.idle == 0, Cables: p.cables, Frame: p.frame(), Spare: spares, Least: p.dpdk,
		Waiting: func(what string) { fmt.Fprintf(messages, "testpmd: %s\n", what) },
	}
	set, err := portset.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	t := &tester{plan: p, gsoLen: defaultGSO, set: set, screen: screen, errors: messages, ctx: ctx}
	for i := range set.Ports {
		t.record(i, p.specs[i]).stopped = p.halted
	}
	t.grammar = grammar.New(t.commands(), t.kinds())
	for _, port := range t.ports {
		if err := t.prepare(port); err != nil {
			return nil, errors.Join(err, set.Close())
		}
	}
	return t, nil
}

// prepare sets what testpmd sets on a port that it has opened: it receives every packet, unless
// its text says otherwise, --rss-ip or --rss-udp spread them over its queues, if the device can do
// that, and --enable-hw-vlan-filter filters them.
func (t *tester) prepare(p *port) error {
	if t.plan.hash != 0 && p.dev.Queues() > 1 {
		if err := t.spread(p, t.plan.hash); err != nil {
			fmt.Fprintf(t.errors, "Port %d: packets are not spread by a hash: %v\n", p.number, err)
		}
	}
	if t.plan.filter && !p.dev.Features().Has(virtio.NetCtrlVLAN) {
		if err := t.filter(p, true); err != nil {
			return err
		}
	}
	if p.spec.Promiscuous != nil || !p.dev.Features().Has(virtio.NetCtrlRx) {
		return nil
	}
	if err := t.withDevices(func() error { return p.dev.SetPromiscuous(t.ctx, true) }); err != nil {
		fmt.Fprintf(t.errors, "Error during enabling promiscuous mode for port %d: %s - ignore\n", p.number, because(err))
	}
	return nil
}

// spares is for how many ports more than the command line names there are buffers.
const spares = 2

// record makes port i of an open one.
func (t *tester) record(i int, spec devargs.Spec) *port {
	for len(t.ports) <= i {
		t.ports = append(t.ports, nil)
	}
	p := &port{number: i, spec: spec, dev: t.set.Ports[i], shownAt: time.Now(), given: spec.Offloads}
	p.tags.strip = t.plan.strip
	t.ports[i] = p
	return p
}

// close stops forwarding, as testpmd does at its end, and closes the ports.
func (t *tester) close() error {
	if t.busy {
		t.stop()
	}
	for _, p := range t.ports {
		if p == nil {
			continue
		}
		fmt.Fprintf(t.screen, "\nStopping port %d...\nStopping ports...\nDone\n", p.number)
	}
	var errs []error
	for _, p := range t.ports {
		if p == nil {
			continue
		}
		fmt.Fprintf(t.screen, "\nShutting down port %d...\nClosing ports...\n", p.number)
		if err := t.set.Remove(p.number); err != nil {
			errs = append(errs, err)
			continue
		}
		fmt.Fprintf(t.screen, "Port %d is closed\nDone\n", p.number)
	}
	errs = append(errs, t.set.Close())
	fmt.Fprintf(t.screen, "\nBye...\n")
	return errors.Join(errs...)
}

// introduce says which ports there are, as testpmd does before its prompt.
func (t *tester) introduce() {
	for _, l := range []struct {
		of   bool
		text string
	}{
		{t.plan.interactive, "Interactive-mode selected"},
		{t.plan.autoStart, "Auto-start selected"},
		{t.plan.cmdlineFile != "", "CLI commands to be read from " + t.plan.cmdlineFile},
		{t.plan.txFirst > 0, "Ports to start sending a burst of packets first"},
		{t.plan.modeGiven, "Set " + t.plan.mode.name + " packet forwarding mode"},
	} {
		if l.of {
			fmt.Fprintln(t.screen, l.text)
		}
	}
	fmt.Fprintf(t.screen, "testpmd: create a new mbuf pool <mb_pool_0>: n=%d, size=%d, socket=0\n", t.set.Pool.Size(), t.set.Pool.DataRoom()+headroom)
	t.warnOdd()
	for _, p := range t.ports {
		fmt.Fprintf(t.screen, "Configuring Port %d (socket 0)\nPort %d: %s\n", p.number, p.number, address(p.dev.MAC()))
	}
	fmt.Fprintln(t.screen, "Checking link statuses...\nDone")
}

// converse carries out commands until the input ends, the user leaves or ctx ends.
func (t *tester) converse(ctx context.Context) error {
	if t.plan.cmdlineFile != "" {
		if err := t.load(ctx, t.plan.cmdlineFile); err != nil {
			return err
		}
	}
	if t.plan.autoStart && !t.busy && !t.leaving {
		fmt.Fprintln(t.screen, "Start automatic packet forwarding")
		if err := t.start(t.plan.txFirst); err != nil {
			t.report(err)
		}
	}
	for !t.leaving {
		line, err := t.console.ReadLine(ctx)
		switch {
		case errors.Is(err, console.ErrInterrupt):
			if t.busy {
				t.stop()
			}
		case err != nil: // the end of the input, or a signal
			return nil
		default:
			t.do(ctx, line)
		}
	}
	return nil
}

// do carries out one line and reports what is wrong with it.
func (t *tester) do(ctx context.Context, line string) {
	if err := t.execute(ctx, line); err != nil {
		t.report(err)
	}
	t.checkPorts()
}

// execute carries out one line.
func (t *tester) execute(ctx context.Context, line string) error {
	if len(grammar.Words(line)) == 0 {
		return nil
	}
	m, err := t.grammar.Parse(line)
	if err != nil {
		return err
	}
	if m.Command.Refused != "" {
		return &refusedError{m.Command}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t.setCancel(cancel)
	defer t.setCancel(nil)
	before := t.ctx
	t.ctx = ctx
	defer func() { t.ctx = before }()
	return m.Command.Do(m)
}

func (t *tester) setCancel(f context.CancelFunc) {
	t.cancel.Lock()
	defer t.cancel.Unlock()
	t.cancel.command = f
}

// interrupt calls off the command that is carried out. Any goroutine may call it.
func (t *tester) interrupt() {
	t.cancel.Lock()
	defer t.cancel.Unlock()
	if t.cancel.command != nil {
		t.cancel.command()
	}
}

// refusedError is a command of testpmd that is not carried out here.
type refusedError struct{ command *grammar.Command }

func (e *refusedError) Error() string {
	return "Operation not supported: " + e.command.Form + ": " + e.command.Refused
}

// report says what went wrong, and in which line of a file: with a line as a part of the
// conversation, with its execution as a message.
func (t *tester) report(err error) {
	err = t.place.of(err)
	var bad *grammar.Error
	if errors.As(err, &bad) {
		fmt.Fprintln(t.screen, err)
		return
	}
	fmt.Fprintln(t.errors, err)
}

// checkPorts says once which ports have ended by themselves.
func (t *tester) checkPorts() {
	for _, p := range t.ports {
		if p == nil || p.failed || p.dev.Err() == nil {
			continue
		}
		p.failed = true
		fmt.Fprintf(t.errors, "Port %d: %v\n", p.number, p.dev.Err())
	}
}
