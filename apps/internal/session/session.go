// Package session is one run of a command that moves packets between ports: the
// ports are opened, polled and watched, the outcome is printed, and the ports are
// closed again. The command says what is done with the packets.
package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/output"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/pollers"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/portset"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/report"
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
)

// Session is what a command line asks for, before anything is opened.
type Session struct {
	App     string // name of the command
	Options command.Options
	Ports   []Port
	// Frame is that of [portset.Config].
	Frame int
	// PollDevices leaves polling the emulated devices to the command: see
	// [portset.Set].
	PollDevices bool
	// Cables and Open are those of [portset.Config], which only tests set.
	Cables *devargs.Cables
	Open   func(devargs.Spec, devargs.Options) (*driver.Port, error)
	// Prepare is called when the ports are open and says what is to be polled.
	Prepare func(*portset.Set) (Work, error)
}

// Port is one port of a session.
type Port struct {
	Spec   devargs.Spec
	Number int    // its place on the command line, from 0
	Role   string // what is done with its packets: "-> port 1"
}

// Work is what a command does with its open ports. Fields that are not needed
// are nil.
type Work struct {
	// Pollers are what is polled, in a goroutine each.
	Pollers []pollers.Poller
	// Begin is called before the first poll, End after the last one: both have all
	// queues for themselves.
	Begin, End func()
	// Dropped returns how many packets the command dropped because the transmit queues of
	// port i were full, queue by queue. Any goroutine may call it, also while packets flow.
	Dropped func(i int) []uint64
	// Cycles returns what the packets cost. It is called after the last poll.
	Cycles func() *report.Cycles

	// Drive is what the command does beside the pollers, in a goroutine of its own: the
	// session ends when it returns, with its error, and not with the planned time. Its
	// context ends with that of the session and when a port or a poller fails.
	Drive func(context.Context) error
	// Traffic is what is shown beside the ports, and Load how busy pollers are that Drive
	// has started.
	Traffic report.Traffic
	Load    func() string
	// Print prints the outcome in place of the counters of the ports.
	Print func(elapsed time.Duration, stdout, notes io.Writer) error
}

// Run moves packets until ctx ends, the planned time is over, a port fails or a
// poller does.
func (s *Session) Run(ctx context.Context, stdout, stderr io.Writer) error {
	if err := pollers.Check(s.Options.CPUs); err != nil {
		return err // before anything is opened
	}
	set, err := s.open(ctx, Notes(s.Options, stderr))
	if err != nil {
		return err
	}
	return errors.Join(s.run(ctx, set, stdout, stderr), set.Close())
}

// OpenPorts opens the ports of the session.
func (s *Session) OpenPorts(ctx context.Context) (*portset.Set, error) {
	return s.open(ctx, io.Discard)
}

// open opens the ports and says what it waits for.
func (s *Session) open(ctx context.Context, notes io.Writer) (*portset.Set, error) {
	cfg := portset.Config{
		Burst: s.Options.Burst, Pollers: pollers.Count(s.Options.CPUs),
		PoolSize: s.Options.PoolSize, NoHuge: s.Options.NoHuge, Logger: s.Options.Logger,
		Frame: s.Frame, PollDevices: s.PollDevices, Cables: s.Cables, Open: s.Open, Limit: s.Options.Duration,
		Waiting: func(what string) { fmt.Fprintf(notes, "%s: %s\n", s.App, what) },
	}
	for _, p := range s.Ports {
		cfg.Specs = append(cfg.Specs, p.Spec)
	}
	return portset.Open(ctx, cfg)
}

// run moves packets between open ports and prints the outcome.
func (s *Session) run(ctx context.Context, set *portset.Set, stdout, stderr io.Writer) error {
	work, err := s.Prepare(set)
	if err != nil {
		return err
	}
	r := s.report(set, work)
	defer infoOnSignal(r, stderr)()
	notes := Notes(s.Options, stderr)
	for _, p := range r.Ports {
		fmt.Fprintf(notes, "%s: port %d: %s %s, path: %s\n", s.App, p.Number, p.Name, p.Role, p.Path)
	}
	if s.Options.Info && !s.Options.JSON {
		if err := r.WriteInfo(stdout); err != nil {
			return err
		}
	}
	r.Start = time.Now()
	if err := work.survive(work.Begin); err != nil {
		return err
	}
	group, err := pollers.Start(s.Options.CPUs, work.Pollers, s.Options.Logger)
	if err != nil {
		return err
	}
	r.Traffic, r.Pollers, r.Asleep = work.Traffic, group.Load(), group.Asleep()
	if work.Load != nil {
		r.Pollers = work.Load
	}
	options := s.Options
	if work.Drive != nil {
		options.Duration = 0
	}
	ctx, drive := work.drive(ctx)
	err = Watch(ctx, r, options, stdout, stderr, set.Failed(), group.Failed())
	err = errors.Join(err, drive())
	group.Stop()
	elapsed := time.Since(r.Start)
	err = errors.Join(err, work.survive(work.End))
	if work.Cycles != nil {
		r.Cycles = work.Cycles()
	}
	if work.Print != nil {
		return errors.Join(err, work.Print(elapsed, output.Result(stdout), Notes(s.Options, stderr)))
	}
	return errors.Join(err, Print(r, elapsed, s.Options, stdout, stderr))
}

// drive starts Drive, if there is one. The context that it returns ends with ctx and with
// Drive. The function has Drive end and returns its error.
func (w *Work) drive(ctx context.Context) (context.Context, func() error) {
	if w.Drive == nil {
		return ctx, func() error { return nil }
	}
	driven, end := context.WithCancel(ctx)
	over, ended := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		defer ended()
		done <- w.Drive(driven)
	}()
	return over, func() error {
		end()
		return <-done
	}
}

// survive calls do, if it is not nil, which has all queues for itself. A memory fault is
// an error.
func (w *Work) survive(do func()) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		cause, isError := recover().(error)
		if !isError {
			return
		}
		err = cause
		for _, p := range w.Pollers {
			if p.Abandon != nil {
				p.Abandon(cause)
			}
		}
	}()
	if do != nil {
		do()
	}
	return nil
}

// report describes the ports for those who read about them.
func (s *Session) report(set *portset.Set, work Work) *report.Report {
	r := &report.Report{App: s.App, Planned: s.Options.Duration, ShowInfo: s.Options.Info, XStats: s.Options.XStats}
	for i, port := range set.Ports {
		r.Ports = append(r.Ports, report.Port{
			Number: s.Ports[i].Number, Name: s.Ports[i].Spec.Text, Role: s.Ports[i].Role,
			Path: port.Path().String(), Features: port.Features().Names(),
			State: func() string { return "link " + port.Link().String() },
			MTU:   port.MTU(), Stats: port.Stats, Info: port.Info,
		})
		if work.Dropped != nil {
			r.Ports[i].Full = func() []uint64 { return work.Dropped(i) }
		}
	}
	return r
}
