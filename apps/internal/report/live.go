package report

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
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
	// maxMessages is how many lines of messages are kept for when the screen ends.
	maxMessages = 10000
)

// diverter is a terminal to which messages are written as well: they would destroy the
// screen. Divert has them go to a function until undo is called; direct writes to the
// terminal.
type diverter interface {
	Divert(to func([]byte)) (direct io.Writer, undo func())
}

// live draws the screen in place until ctx ends. The terminal is as it was before when
// live returns, and messages that were written meanwhile follow.
func (s *Screen) live(ctx context.Context, period time.Duration) {
	if !sleep(ctx, min(period, firstAfter)) {
		return
	}
	m := &model{app: s.report.App, styles: newStyles(), messages: new(messages), signal: s.signal,
		sample: s.sampler.take(time.Now()), width: 80, height: 24}
	out := &terminal{s.out, s.out.(fder)}
	if d, ok := s.out.(diverter); ok {
		direct, undo := d.Divert(m.messages.add)
		out.Writer = direct
		defer func() {
			undo()
			_, _ = s.out.Write(m.messages.all())
		}()
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
	s.draw(ctx, period, tea.NewProgram(m, options...))
	if m.after != 0 {
		s.signal(m.after)
	}
}

// draw runs the program that draws, and gives it a sample every period, until ctx or the
// program ends.
func (s *Screen) draw(ctx context.Context, period time.Duration, program *tea.Program) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = program.Run() // packets keep flowing if the screen cannot be drawn
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
		case <-done:
			return
		case <-ctx.Done():
			return
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

// messages are lines that wait for the end of the screen. Any goroutine may add some.
type messages struct {
	mu      sync.Mutex
	lines   []string
	dropped int
}

func (m *messages) add(text []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for text := range strings.Lines(string(text)) {
		m.lines = append(m.lines, strings.TrimSuffix(text, "\n"))
	}
	if extra := len(m.lines) - maxMessages; extra > 0 {
		m.lines, m.dropped = m.lines[extra:], m.dropped+extra
	}
}

// last returns the last n lines, or fewer.
func (m *messages) last(n int) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.lines[max(len(m.lines)-n, 0):])
}

// all returns all lines as they were written.
func (m *messages) all() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b bytes.Buffer
	if m.dropped > 0 {
		fmt.Fprintf(&b, "%d lines are not shown\n", m.dropped)
	}
	for _, l := range m.lines {
		b.WriteString(l + "\n")
	}
	return b.Bytes()
}
