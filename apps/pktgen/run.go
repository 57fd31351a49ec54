package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/pollers"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/portset"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/session"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/result"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
)

// run opens the ports, measures, and prints and writes the outcome.
func (p *plan) run(ctx context.Context, stdout, stderr io.Writer) error {
	if err := pollers.Check(p.options.CPUs); err != nil {
		return err
	}
	r := result.Report{Schema: result.Schema, Identity: result.NewIdentity("pktgen", os.Args)}
	if p.selfTest {
		p.calibrate(ctx, &r)
	}
	s := &session.Session{App: "pktgen", Options: p.options, Frame: p.longest, PollDevices: true, Cables: p.cables}
	for i, to := range portset.Pairs(len(p.specs)) {
		s.Ports = append(s.Ports, session.Port{Spec: p.specs[i], Number: i, Role: fmt.Sprintf("-> port %d", to)})
	}
	s.Prepare = func(set *portset.Set) (session.Work, error) {
		m := newMeasurement(p, set, r)
		m.disclose(set)
		return session.Work{Drive: m.drive, Traffic: m.shown(), Load: m.rig.busy, Print: m.print}, nil
	}
	return s.Run(ctx, stdout, stderr)
}

// measurement is what is measured with a rig, and the report about it.
type measurement struct {
	plan     *plan
	rig      *rig
	report   result.Report
	live     *live
	progress progress
}

func newMeasurement(p *plan, set *portset.Set, r result.Report) *measurement {
	return &measurement{plan: p, rig: newRig(p, set), live: newLive(), report: r}
}

// drive measures until all is done or ctx ends. What was found until then is reported. The
// end of ctx is the end of a trial, but that of a search or of a series of sizes is a
// failure.
func (m *measurement) drive(ctx context.Context) error {
	defer m.rig.stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case err := <-m.rig.failed:
			cancel(err)
		case <-ctx.Done():
		}
	}()
	err := m.measure(ctx)
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	cause := failure(ctx)
	if cause == nil && m.report.Interrupted {
		cause = errInterrupted
		if m.report.Empty() {
			cause = errors.New("interrupted before anything was measured")
		}
	}
	return errors.Join(err, cause)
}

// errInterrupted is the error of a user who did not wait for all that was asked for.
var errInterrupted = errors.New("interrupted before all was measured; the report has what was found until then")

// failure returns why ctx ended, unless someone ended it.
func failure(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// measure does what the plan asks for, with one size after the other.
func (m *measurement) measure(ctx context.Context) error {
	sizes := m.plan.allSizes()
	var errs []error
	for i, size := range sizes {
		m.progress.size(i, len(sizes), size.String())
		err := m.measureSize(ctx, size)
		errs = append(errs, err)
		if ctx.Err() != nil {
			m.report.Interrupted = i+1 < len(sizes) || m.plan.search.wanted() && err != nil
			break
		}
	}
	return errors.Join(errs...)
}

// measureSize measures with one size. A scenario has its own.
func (m *measurement) measureSize(ctx context.Context, size traffic.Size) error {
	if m.plan.search.wanted() {
		return m.searchSize(ctx, size)
	}
	streams := m.streams(size)
	if err := m.rig.change(streams, m.plan.rate, false); err != nil {
		return m.plan.wrongSize(size, err)
	}
	m.warn()
	m.discloseTraffic(m.sent(streams), m.size(size))
	return m.trials(ctx, m.size(size))
}

// streams returns what is sent with a size, nil for a scenario.
func (m *measurement) streams(size traffic.Size) []*traffic.Stream {
	if m.plan.traffic.scenario != nil {
		return nil
	}
	return m.plan.traffic.streams(m.rig.ports(), size, m.plan.oneWay)
}

// warn says what of captures is not sent as it was recorded.
func (m *measurement) warn() {
	b, _ := m.rig.current()
	log := m.plan.options.Logger
	for _, r := range b.Replays() {
		if n, why := r.Skipped(); n > 0 {
			log.Warn("records of the capture are not sent", "file", r.File(), "records", n, "why", why)
		}
		if n := r.OutOfOrder(); n > 0 {
			log.Warn("frames of the capture have times before that of the frame in front of them, and are sent with it",
				"file", r.File(), "frames", n)
		}
	}
}

// sent returns the streams that were given to a bench, or else those of the scenario.
func (m *measurement) sent(streams []*traffic.Stream) []*traffic.Stream {
	if s := m.plan.traffic.scenario; s != nil {
		for i := range s.Streams {
			streams = append(streams, &s.Streams[i])
		}
	}
	return streams
}

// print prints and writes the report, unless nothing was measured.
func (m *measurement) print(_ time.Duration, stdout, notes io.Writer) error {
	if m.report.Empty() {
		return nil
	}
	m.report.Identity.End = time.Now().UTC()
	m.report.Conclude()
	err := m.output(stdout, notes)
	return errors.Join(err, m.writeReports(), m.verdict())
}
