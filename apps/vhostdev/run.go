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
	polled  bool // by a poller: otherwise the device has a goroutine of its own
	start   time.Time
	gone    chan error // receives why the wire is gone for good
	failed  chan error // receives why a poller failed

	mu     sync.Mutex
	poller *pollers.Group // nil if there is none
	load   func() string  // says how busy it is
	ended  bool           // no poller is started any more
	since  time.Time      // when packets could flow again, zero if they cannot
	flowed time.Duration  // for how long they could before
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
	s.stopPoller()
	// Printed before Close disconnects the peer, whose features are in the report.
	err = errors.Join(err, session.Print(s.report(), s.elapsed(), s.options.Options, stdout, stderr))
	return errors.Join(err, s.judge(), s.back.Close())
}

// open starts the back end, and a poller of it where that is asked for.
func (s *server) open() error {
	cfg, err := s.options.config()
	if err != nil {
		return err
	}
	s.gone = make(chan error, 1)
	s.failed = make(chan error, 8)
	cfg.Up, cfg.Gone = s.up, func(reason error) { s.gone <- reason }
	cfg.Lost = s.pollerLost
	s.polled = cfg.Stepped || cfg.Raw != nil
	if s.back, err = vhostback.Serve(s.options.socket, cfg); err != nil {
		return err
	}
	if !s.polled {
		return nil
	}
	if err := s.startPoller(); err != nil {
		return errors.Join(err, s.back.Close())
	}
	return nil
}

// startPoller starts a poller of the back end, unless the command ends. One that there
// was waits for memory of a peer, and ends if it ever comes.
func (s *server) startPoller() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil
	}
	if s.poller != nil {
		go s.poller.Stop()
	}
	var cpus []int
	if s.options.cpu != lcore.AnyCPU {
		cpus = []int{s.options.cpu}
	}
	group, err := pollers.Start(cpus, []pollers.Poller{{Poll: s.back.Poll}}, s.options.Logger)
	if err != nil {
		return err
	}
	s.poller, s.load = group, group.Load()
	go func() {
		if err := <-group.Failed(); err != nil {
			s.failed <- err
		}
	}()
	return nil
}

// pollerLost is called when the poller may wait for memory of a peer for good.
func (s *server) pollerLost() {
	if !s.polled {
		return
	}
	if err := s.startPoller(); err != nil {
		s.failed <- err
	}
}

// stopTimeout is how long the last poll may take.
const stopTimeout = 500 * time.Millisecond

// stopPoller ends the polling. It does not wait for a poll that waits for memory of a peer.
func (s *server) stopPoller() {
	s.mu.Lock()
	s.ended = true
	group := s.poller
	s.mu.Unlock()
	if group == nil {
		return
	}
	stopped := make(chan struct{})
	go func() {
		group.Stop()
		close(stopped)
	}()
	select {
	case <-stopped:
	case <-time.After(stopTimeout):
	}
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
	return session.Watch(ctx, s.report(), s.options.Options, stdout, stderr, s.gone, s.failed)
}

// report describes the device as the only port.
func (s *server) report() *report.Report {
	state := s.back.State()
	port := report.Port{
		Name: s.options.socket, Role: "= " + s.options.role(),
		Path: path(s.options, state), Features: state.Features.Names(),
		State:    func() string { return words(s.back.State()) },
		Extended: s.counters,
	}
	r := &report.Report{
		App: "vhostdev", Start: s.start, Planned: s.options.Duration, Ports: []report.Port{port},
		XStats: s.options.XStats,
	}
	if s.polled {
		r.Pollers = func() string {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.load()
		}
	}
	return r
}

// counters returns what the device has counted, and the same by the names of extended
// statistics. It still counts, so both are made from one reading.
func (s *server) counters() (driver.Stats, []driver.ExtendedStat) {
	c := s.back.Counters()
	n := driver.Stats{RxPackets: c.RxPackets, RxBytes: c.RxBytes, RxMissed: c.RxDropped, RxFiltered: c.RxFiltered,
		TxPackets: c.TxPackets, TxBytes: c.TxBytes, TxDropped: c.TxDropped, TxErrors: c.TxErrors, Kicks: c.Kicks}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.poller != nil {
		busy, idle := s.poller.Polls()
		n.Polls, n.EmptyPolls = busy+idle, idle
	}
	return n, extended(c)
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
