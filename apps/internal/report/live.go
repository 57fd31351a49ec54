package report

import (
	"context"
	"io"
	"time"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/sys/unix"
)

const (
	// firstAfter is when the first screen is drawn, unless the period is shorter.
	firstAfter = 250 * time.Millisecond
	// endWithin is how long the end of a screen may take.
	endWithin = 500 * time.Millisecond
	// framesPerSecond bounds how often the terminal is written.
	framesPerSecond = 20
)

// diverter is a terminal to which messages are written as well: they would destroy the
// screen. Divert has them go to a function until undo is called; direct writes to the
// terminal.
type diverter interface {
	Divert(to func([]byte)) (direct io.Writer, undo func())
}

// live draws the screen in place until ctx ends. The terminal is as it was before when
// live returns, and messages that were written meanwhile follow. An error says why the
// screen could not be drawn any more.
func (s *Screen) live(ctx context.Context, period time.Duration) error {
	if !sleep(ctx, min(period, firstAfter)) {
		return nil
	}
	m := newModel(s.report, s.sampler.take(time.Now()))
	m.signal = s.signal
	if s.prepare != nil {
		s.prepare(m)
	}
	out := &terminal{s.out, s.out.(fder)}
	defer func() { _, _ = s.out.Write(m.messages.all()) }()
	if d, ok := s.out.(diverter); ok {
		direct, undo := d.Divert(m.messages.add)
		out.Writer = direct
		defer undo()
	}
	options := []tea.ProgramOption{tea.WithOutput(out), tea.WithoutSignalHandler(), tea.WithFPS(framesPerSecond)}
	if s.in != nil && inForeground(int(s.in.Fd())) {
		m.keys = true
		options = append(options, tea.WithInput(s.in))
		if before, err := unix.IoctlGetTermios(int(s.in.Fd()), unix.TCGETS); err == nil {
			defer func() { _ = unix.IoctlSetTermios(int(s.in.Fd()), unix.TCSETS, before) }()
		}
	} else {
		options = append(options, tea.WithInput(nil))
	}
	err := s.draw(ctx, period, m, options)
	if m.after != 0 {
		s.signal(m.after)
	}
	return err
}

// draw runs the program that draws, and gives it a sample every period, until ctx or the
// program ends. It returns why the program failed.
func (s *Screen) draw(ctx context.Context, period time.Duration, m *model, options []tea.ProgramOption) error {
	program := tea.NewProgram(m, options...)
	failed := make(chan error, 1)
	m.fail = func(err error) {
		select {
		case failed <- err:
		default: // the first one is the cause
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := program.Run(); err != nil {
			m.fail(err)
		}
	}()
	defer func() { // also of a panic
		go program.Quit()
		select {
		case <-done:
		case <-time.After(endWithin):
			go program.Kill()
		}
	}()
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		select {
		case err := <-failed:
			return err
		case <-done:
			select {
			case err := <-failed:
				return err
			default:
				return nil
			}
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			program.Send(s.sampler.take(now))
		}
	}
}

// sleep waits, and reports whether ctx did not end meanwhile.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

type fder interface{ Fd() uintptr }

// terminal is the file that the screen is drawn on.
type terminal struct {
	io.Writer
	fder
}

func (*terminal) Read([]byte) (int, error) { return 0, io.EOF }
func (*terminal) Close() error             { return nil }
