package report

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// console is a terminal of which the test is the user.
type console struct {
	user, tty *os.File
	mu        sync.Mutex
	shown     bytes.Buffer
	before    unix.Termios
}

func newConsole(t *testing.T) *console {
	t.Helper()
	user, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := pty.Setsize(tty, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		t.Fatal(err)
	}
	c := &console{user: user, tty: tty, before: termios(t, tty)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		b := make([]byte, 4096)
		for {
			n, err := user.Read(b)
			if err != nil {
				return
			}
			c.mu.Lock()
			c.shown.Write(b[:n])
			c.mu.Unlock()
		}
	}()
	t.Cleanup(func() { tty.Close(); user.Close(); <-read })
	return c
}

func (c *console) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shown.String()
}

// await waits until something is on the screen.
func (c *console) await(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !strings.Contains(c.text(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%q is not shown: %q", text, c.text())
		}
	}
}

func termios(t *testing.T, f *os.File) unix.Termios {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *state
}

const enterAlternate, leaveAlternate = "\x1b[?1049h", "\x1b[?1049l"

// diverted is a console to which messages are written as well.
type diverted struct {
	*os.File
	to func([]byte)
}

func (d *diverted) Divert(to func([]byte)) (io.Writer, func()) {
	d.to = to
	return d.File, func() { d.to = nil }
}

// TestTerminal: on a terminal the screen is drawn on the alternate screen, keys turn its
// pages, and however it ends, by a key, from elsewhere or by a panic of what is shown, the
// terminal is as it was before, with what was on it, and messages follow.
func TestTerminal(t *testing.T) {
	t.Setenv("TERM", "xterm-256color")
	for _, end := range []string{"signal", "key", "panic"} {
		t.Run(end, func(t *testing.T) {
			c := newConsole(t)
			r, stats := testReport(time.Now())
			stats[0].RxPackets = 12345
			for range 4 {
				r.Ports = append(r.Ports, r.Ports[0])
			}
			r.Ports[3].Name = "zzzzzzzz" // no letter of what is at its place on the first page
			broken := make(chan struct{})
			r.Pollers = func() string {
				select {
				case <-broken:
					panic("broken")
				default:
					return "poller 50 % busy"
				}
			}
			out := &diverted{File: c.tty}
			s := NewScreen(r, out)
			s.in = c.tty
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s.signal = func(unix.Signal) { cancel() }
			panicked := make(chan any, 1)
			go func() {
				defer func() { panicked <- recover() }()
				s.Run(ctx, 10*time.Millisecond)
			}()
			c.await(t, "RX-packets: 12345")
			if termios(t, c.tty).Lflag&unix.ICANON != 0 {
				t.Error("the terminal still waits for whole lines")
			}
			out.to([]byte("a message\n"))
			if _, err := c.user.WriteString("n"); err != nil {
				t.Fatal(err)
			}
			c.await(t, "zzzzzzzz")
			c.await(t, "a message")
			switch end {
			case "signal":
				cancel()
			case "key":
				if _, err := c.user.WriteString("q"); err != nil {
					t.Fatal(err)
				}
			case "panic":
				close(broken)
			}
			if got := <-panicked; (got != nil) != (end == "panic") {
				t.Errorf("panic %v", got)
			}
			if termios(t, c.tty) != c.before {
				t.Error("the terminal has other modes than before")
			}
			c.await(t, leaveAlternate)
			_, rest, _ := strings.Cut(c.text(), leaveAlternate)
			for deadline := time.Now().Add(time.Minute); !strings.Contains(rest, "a message"); time.Sleep(time.Millisecond) {
				if _, rest, _ = strings.Cut(c.text(), leaveAlternate); time.Now().After(deadline) {
					t.Fatalf("the message does not follow: %q", rest)
				}
			}
			before, _, entered := strings.Cut(c.text(), enterAlternate)
			if !entered || strings.Contains(before, "\x1b[2J") || strings.Contains(rest, enterAlternate) || strings.Contains(rest, "\x1b[2J") {
				t.Errorf("what was on the terminal is not left alone: %q ... %q", before, rest)
			}
		})
	}
}

// TestNotDrawn: what is no terminal, knows no escape sequences or does not say what it
// is gets lines.
func TestNotDrawn(t *testing.T) {
	c := newConsole(t)
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, v := range []struct {
		out  io.Writer
		term string
		want bool
	}{
		{c.tty, "xterm", true}, {c.tty, "dumb", false}, {c.tty, "", false}, {file, "xterm", false}, {&bytes.Buffer{}, "xterm", false},
	} {
		t.Setenv("TERM", v.term)
		if got := canDraw(v.out); got != v.want {
			t.Errorf("%T with TERM=%s: %t", v.out, v.term, got)
		}
	}
}

// TestColors: losses are emphasised with a color, unless NO_COLOR is set.
func TestColors(t *testing.T) {
	t.Setenv("TERM", "xterm-256color")
	for _, noColor := range []string{"", "1"} {
		t.Setenv("NO_COLOR", noColor)
		c := newConsole(t)
		r, stats := testReport(time.Now())
		stats[0].TxErrors = 777
		s := NewScreen(r, c.tty)
		s.in = nil
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); s.Run(ctx, time.Millisecond) }()
		c.await(t, "777")
		cancel()
		<-done
		if colored := strings.Contains(c.text(), "\x1b[31"); colored != (noColor == "") {
			t.Errorf("NO_COLOR=%s: colored %t: %q", noColor, colored, c.text())
		}
	}
}

// TestBroken: a screen that cannot be drawn any more leaves the terminal as it was, and
// lines take its place.
func TestBroken(t *testing.T) {
	t.Setenv("TERM", "xterm-256color")
	c := newConsole(t)
	r, stats := testReport(time.Now())
	stats[0].RxPackets = 424242
	s := NewScreen(r, c.tty)
	s.in = c.tty
	s.prepare = func(m *model) { m.columns = nil } // a map that is written to
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx, 10*time.Millisecond) }()
	c.await(t, "app: the screen ended, lines follow: panic: assignment to entry in nil map")
	if termios(t, c.tty) != c.before {
		t.Error("the terminal has other modes than before")
	}
	_, rest, left := strings.Cut(c.text(), leaveAlternate)
	if !left || strings.Contains(rest, enterAlternate) {
		t.Errorf("the screen is not left: %q", c.text())
	}
	c.await(t, "port 0  emu:gen -> port x  link up\r\n  RX-packets: 424242 ")
	cancel()
	<-done
}
