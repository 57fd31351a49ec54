package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/await"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/pollers"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/report"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/session"
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/vhostback"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// server is a back end at work.
type server struct {
	options *options
	back    *vhostback.Backend
	poller  *pollers.Group // nil: the device has a goroutine of its own
	load    func() string  // says how busy the poller is
	start   time.Time
	gone    chan error // receives why the wire is gone for good

	mu     sync.Mutex
	since  time.Time     // when packets could flow again, zero if they cannot
	flowed time.Duration // for how long they could before
}

// run serves until ctx ends or the device fails.
func (o *options) run(ctx context.Context, stdout, stderr io.Writer) error {
	s := &server{options: o, start: time.Now()}
	step := await.Step{For: "the wire of the device"}
	opened := func() (*server, error) { return s, s.open() }
	if _, err := await.Do(ctx, step, opened, func(s *server) { _ = s.back.Close() }); err != nil {
		return err
	}
	fmt.Fprintf(session.Notes(o.Options, stderr), "vhostdev: %s %s\n", o.awaits(), o.socket)
	return s.run(ctx, stdout, stderr)
}

func (s *server) run(ctx context.Context, stdout, stderr io.Writer) error {
	err := s.watch(ctx, stdout, stderr)
	if s.poller != nil {
		s.poller.Stop()
	}
	// Printed before Close disconnects the peer, whose features are in the report.
	err = errors.Join(err, session.Print(s.report(), s.elapsed(), s.options.Options, stdout, stderr))
	return errors.Join(err, s.back.Close())
}

// open starts the back end, and a poller of it where that is asked for.
func (s *server) open() error {
	cfg, err := s.options.config()
	if err != nil {
		return err
	}
	s.gone = make(chan error, 1)
	cfg.Up, cfg.Gone = s.up, func(reason error) { s.gone <- reason }
	if s.back, err = vhostback.Serve(s.options.socket, cfg); err != nil {
		return err
	}
	if !cfg.Stepped && cfg.Raw == nil {
		return nil
	}
	var cpus []int
	if s.options.cpu != lcore.AnyCPU {
		cpus = []int{s.options.cpu}
	}
	s.poller, err = pollers.Start(cpus, []pollers.Poller{{Poll: s.back.Poll}}, s.options.Logger)
	if err != nil {
		return errors.Join(err, s.back.Close())
	}
	s.load = s.poller.Load()
	return nil
}

// up is called when packets can flow and when they no longer can.
func (s *server) up(up bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if up {
		s.since = time.Now()
		return
	}
	s.flowed += time.Since(s.since)
	s.since = time.Time{}
}

// elapsed returns for how long packets could flow, or if they never could, for how
// long the command has run.
func (s *server) elapsed() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.flowed
	if !s.since.IsZero() {
		d += time.Since(s.since)
	}
	if d == 0 {
		d = time.Since(s.start)
	}
	return d
}

// watch shows the screens until it is time to stop, and returns why it ended early: the
// wire is gone, or the poller failed.
func (s *server) watch(ctx context.Context, stdout, stderr io.Writer) error {
	var failed <-chan error
	if s.poller != nil {
		failed = s.poller.Failed()
	}
	return session.Watch(ctx, s.report(), s.options.Options, stdout, stderr, s.gone, failed)
}

// report describes the device as the only port.
func (s *server) report() *report.Report {
	state := s.back.State()
	port := report.Port{
		Name: s.options.socket, Role: "= " + s.options.role(),
		Path: path(s.options, state), Features: state.Features.Names(),
		State: func() string { return words(s.back.State()) },
		Stats: s.stats,
	}
	return &report.Report{
		App: "vhostdev", Start: s.start, Planned: s.options.Duration,
		Pollers: s.load, Ports: []report.Port{port},
	}
}

func (s *server) stats() driver.Stats {
	c := s.back.Counters()
	n := driver.Stats{RxPackets: c.RxPackets, RxBytes: c.RxBytes, RxErrors: c.RxDropped,
		TxPackets: c.TxPackets, TxBytes: c.TxBytes, TxDropped: c.TxDropped, TxErrors: c.TxErrors, Kicks: c.Kicks}
	if s.poller != nil {
		busy, idle := s.poller.Polls()
		n.Polls, n.EmptyPolls = busy+idle, idle
	}
	return n
}

func (o *options) role() string {
	name := o.backend
	if o.arg != "" {
		name += "=" + o.arg
	}
	if o.raw {
		name = "raw " + name
	}
	return name
}

// awaits says what the back end waits for, before the path of the socket.
func (o *options) awaits() string {
	if o.client {
		return "waiting for a front end to listen at"
	}
	return "waiting for a front end to connect to"
}

func words(s vhostback.State) string {
	switch {
	case s.Up:
		return "peer up"
	case s.Connected:
		return "peer connected"
	}
	return "no peer"
}

// path returns what the last peer negotiated, in words.
func path(o *options, s vhostback.State) string {
	if s.Features.Empty() {
		return "vhost-user " + o.role() + ", nothing negotiated"
	}
	ring := "split ring"
	if s.Features.Has(virtio.RingPacked) {
		ring = "packed ring"
	}
	list := []string{"vhost-user " + o.role(), ring}
	if s.Features.Has(virtio.NetMrgRxbuf) {
		list = append(list, "mergeable")
	}
	if s.Features.Has(virtio.InOrder) {
		list = append(list, "in order")
	}
	return strings.Join(list, ", ")
}
