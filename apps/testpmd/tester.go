package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/pollers"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/portset"
	"github.com/virtio-pmd/virtio-pmd/apps/testpmd/console"
	"github.com/virtio-pmd/virtio-pmd/apps/testpmd/grammar"
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
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
	leaving bool
	gsoLen  int // bytes of the packets that GSO makes

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
	renew   bool // it is opened again when it is started: what changed needs that

	cleared  driver.Stats // counters when they were cleared
	shown    driver.Stats // ... and when they were shown last
	shownAt  time.Time
	clearedX map[string]uint64 // extended statistics when they were cleared
	shownX   map[string]uint64 // ... and those that were shown last
	failed   bool              // said once
	tags     tags
	csum     checksums
}

// newTester opens the ports of a plan.
func newTester(ctx context.Context, p *plan, screen, messages io.Writer) (*tester, error) {
	if err := pollers.Check(p.options.CPUs); err != nil {
		return nil, err
	}
	cfg := portset.Config{
		Specs: p.specs, Burst: p.options.Burst, Pollers: pollers.Count(p.options.CPUs), PoolSize: p.options.PoolSize,
		NoHuge: p.options.NoHuge, Logger: p.options.Logger, PollDevices: true, Cables: p.cables, Frame: p.frame(), Spare: spares, Least: p.dpdk,
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
	return t, nil
}

// spares is for how many ports more than the command line names there are buffers.
const spares = 2

// record makes port i of an open one.
func (t *tester) record(i int, spec devargs.Spec) *port {
	for len(t.ports) <= i {
		t.ports = append(t.ports, nil)
	}
	p := &port{number: i, spec: spec, dev: t.set.Ports[i], shownAt: time.Now()}
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
	if t.plan.interactive {
		fmt.Fprintln(t.screen, "Interactive-mode selected")
	}
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

// report says what went wrong: with a line as a part of the conversation, with its execution as a
// message.
func (t *tester) report(err error) {
	var bad *grammar.Error
	if errors.As(err, &bad) {
		fmt.Fprintln(t.screen, err)
		return
	}
	fmt.Fprintln(t.errors, err)
}

// load carries out the lines of a file. What is wrong with a line is reported with its number,
// and the next one is carried out.
func (t *tester) load(ctx context.Context, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("Failed to create file based cmdline context: %s: %w", path, unwrapPath(err)) //nolint:staticcheck // the words of testpmd
	}
	if slices.Contains(t.reading, path) {
		return fmt.Errorf("%s loads itself", path)
	}
	t.reading = append(t.reading, path)
	defer func() { t.reading = t.reading[:len(t.reading)-1] }()
	number := 0
	for line := range linesOf(string(text)) {
		number++
		if t.leaving || ctx.Err() != nil {
			return nil
		}
		if err := t.execute(ctx, line); err != nil {
			t.report(&lineError{path, number, err})
		}
		t.checkPorts()
	}
	fmt.Fprintf(t.screen, "Read CLI commands from %s\n", path)
	return nil
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

// lineError is an error in a line of a file.
type lineError struct {
	path string
	line int
	err  error
}

func (e *lineError) Error() string { return fmt.Sprintf("%s:%d: %v", e.path, e.line, e.err) }

// Unwrap returns the cause.
func (e *lineError) Unwrap() error { return e.err }
