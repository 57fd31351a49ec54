package report

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Screen shows the counters of a report again and again: on a terminal in place, with
// pages and keys, anywhere else as one block after the other, or a line for each trial. It
// belongs to one goroutine, which must not be one that polls.
type Screen struct {
	report  *Report
	out     io.Writer
	in      *os.File // keys, if it is a terminal
	sampler *sampler
	trials  int // how many were written as lines
	// signal sends a signal to the process, as the keys do that a terminal makes
	// signals of; tests have their own.
	signal func(unix.Signal)
	// prepare changes what will be shown, for tests. It may be nil.
	prepare func(*model)
}

// NewScreen returns a screen of r on out. Keys come from standard input.
func NewScreen(r *Report, out io.Writer) *Screen {
	return &Screen{report: r, out: out, in: os.Stdin, sampler: newSampler(r),
		signal: func(s unix.Signal) { _ = unix.Kill(os.Getpid(), s) }}
}

// Run shows the counters every period until ctx ends.
func (s *Screen) Run(ctx context.Context, period time.Duration) {
	if canDraw(s.out) {
		err := s.live(ctx, period)
		if err == nil {
			return
		}
		// Packets keep flowing, and lines take the place of the screen.
		fmt.Fprintf(s.out, "%s: the screen ended, lines follow: %v\n", s.report.App, err)
	}
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			s.showTrials(s.sampler.progress())
			return
		case now := <-tick.C:
			s.Show(now)
		}
	}
}

// Show writes the counters as they are now; rates are since the last time.
func (s *Screen) Show(now time.Time) {
	// Packets keep flowing if the screen cannot be written.
	v := s.sampler.take(now)
	if v.progress != nil {
		s.showTrials(v.progress)
		return
	}
	_, _ = s.out.Write(plain(s.report.App, v))
}

// showTrials writes a line for each trial that has ended since the last time.
func (s *Screen) showTrials(p *Progress) {
	if p == nil || len(p.Trials) <= s.trials {
		return
	}
	_, _ = s.out.Write(plainTrials(s.report.App, p.Trials[s.trials:]))
	s.trials = len(p.Trials)
}

// canDraw reports whether w is a terminal on which a screen can be drawn in place: one
// that knows how, and that belongs to this process. A process in the background would
// be stopped for it.
func canDraw(w io.Writer) bool {
	if term := os.Getenv("TERM"); term == "" || term == "dumb" {
		return false
	}
	f, ok := w.(interface{ Fd() uintptr })
	return ok && inForeground(int(f.Fd()))
}

// inForeground reports whether fd is a terminal, with this process in its foreground.
func inForeground(fd int) bool {
	if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
		return false
	}
	group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	// A terminal that controls no session stops nothing.
	return err != nil || group == unix.Getpgrp()
}
