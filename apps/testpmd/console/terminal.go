package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/output"
)

const (
	keyInterrupt = 0x03 // Ctrl-C
	keySearch    = 0x12 // Ctrl-R
	// clearLine is what Ctrl-C is to the editor: delete the line before and behind the cursor
	// (Ctrl-U, Ctrl-K), then Enter.
	clearLine = "\x15\x0b\r"
)

// terminal is a console with line editing.
type terminal struct {
	config Config
	in     *os.File
	before *term.State
	editor *term.Terminal
	past   *history
	undo   []func()
	late   late // what is written to the terminal in other ways
	resize chan os.Signal

	keys        chan []byte // what is typed; closed at the end of the input
	rest        []byte      // of the last
	ctx         context.Context
	interrupted atomic.Bool // the line that is read next was interrupted
	done        chan struct{}
}

// openTerminal returns nil if the files are no terminals, or one that cannot move the cursor.
func openTerminal(c Config) (Console, error) {
	out, ok := c.Out.(interface{ Fd() uintptr })
	if !ok || !term.IsTerminal(int(c.In.Fd())) || !term.IsTerminal(int(out.Fd())) ||
		os.Getenv("TERM") == "dumb" || os.Getenv("TERM") == "" {
		return nil, nil
	}
	t := &terminal{config: c, in: c.In, keys: make(chan []byte), ctx: context.Background(), done: make(chan struct{}),
		late: late{more: make(chan struct{}, 1)}, resize: make(chan os.Signal, 1)}
	if s, ok := c.Out.(*output.Stream); ok {
		_ = s.Flush(time.Now().Add(endWithin)) // what was written belongs to the former modes
	}
	var err error
	if t.before, err = term.MakeRaw(int(c.In.Fd())); err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	direct := c.Out
	if s, ok := c.Out.(*output.Stream); ok {
		// Log lines and the like would be drawn across the line that is being edited.
		d, undo := s.Divert(t.late.add)
		direct, t.undo = d, append(t.undo, undo)
	}
	t.editor = term.NewTerminal(readWriter{t, direct}, c.Prompt)
	t.editor.AutoCompleteCallback = t.press
	t.past = openHistory(c.History)
	t.editor.History = t.past
	t.fit()
	signal.Notify(t.resize, unix.SIGWINCH)
	go t.watch()
	go t.read()
	return t, nil
}

// watch follows the size of the terminal, and writes what comes late.
func (t *terminal) watch() {
	for {
		select {
		case <-t.resize:
			t.fit()
		case <-t.late.more:
			t.late.write(t)
		case <-t.done:
			return
		}
	}
}

func (t *terminal) fit() {
	if width, height, err := term.GetSize(int(t.in.Fd())); err == nil && width > 0 {
		_ = t.editor.SetSize(width, height)
	}
}

// read reads keys, also while no line is read, so that Ctrl-C has an effect at once. It ends with
// the input or the program.
func (t *terminal) read() {
	defer close(t.keys)
	for {
		b := make([]byte, 256)
		n, err := t.in.Read(b)
		if b = b[:n]; bytes.IndexByte(b, keyInterrupt) >= 0 && t.config.Interrupted != nil {
			t.config.Interrupted()
		}
		if n > 0 {
			t.keys <- b
		}
		if err != nil {
			return
		}
	}
}

// readWriter is what the editor reads keys from and draws on.
type readWriter struct {
	t *terminal
	io.Writer
}

// Read returns keys, up to the first Ctrl-C, which clears the line.
func (r readWriter) Read(b []byte) (int, error) {
	t := r.t
	for len(t.rest) == 0 {
		select {
		case keys, ok := <-t.keys:
			if !ok {
				return 0, io.EOF
			}
			t.rest = keys
		case <-t.ctx.Done():
			return 0, t.ctx.Err()
		}
	}
	switch i := bytes.IndexByte(t.rest, keyInterrupt); {
	case i == 0:
		t.rest = t.rest[1:]
		t.interrupted.Store(true)
		return copy(b, clearLine), nil
	case i > 0:
		n := copy(b, t.rest[:i])
		t.rest = t.rest[n:]
		return n, nil
	}
	n := copy(b, t.rest)
	t.rest = t.rest[n:]
	return n, nil
}

// Write implements [io.Writer]. A line that is being edited is drawn again below the text.
func (t *terminal) Write(b []byte) (int, error) { return t.editor.Write(b) }

// ReadLine implements [Console].
func (t *terminal) ReadLine(ctx context.Context) (string, error) {
	t.ctx = ctx
	t.late.write(t) // what was said of the last line stands before the prompt
	line, err := t.editor.ReadLine()
	if t.interrupted.Swap(false) {
		return "", ErrInterrupt
	}
	if errors.Is(err, term.ErrPasteIndicator) {
		err = nil
	}
	if err != nil {
		fmt.Fprintln(t)
	}
	return line, err
}

// press completes or explains what stands before the cursor.
func (t *terminal) press(line string, pos int, key rune) (string, int, bool) {
	before, behind := line[:pos], line[pos:]
	switch {
	case key == '\t' && t.config.Complete != nil:
		after, choices := t.config.Complete(before)
		t.list(choices)
		return after + behind, len(after), true
	case key == keySearch:
		if found, ok := t.past.search(line); ok {
			line = found
		}
		return line, len(line), true
	case key == '?' && t.config.Explain != nil:
		t.list(t.config.Explain(before))
		return line, pos, true
	}
	return "", 0, false
}

// list writes lines above the one that is being edited.
func (t *terminal) list(lines []string) {
	if len(lines) > 0 {
		_, _ = t.editor.Write([]byte(strings.Join(lines, "\n") + "\n"))
	}
}

// endWithin bounds the wait for a terminal to take what was written.
const endWithin = 500 * time.Millisecond

// Close implements [Console].
func (t *terminal) Close() error {
	signal.Stop(t.resize)
	close(t.done)
	for _, undo := range t.undo {
		undo()
	}
	if s, ok := t.config.Out.(*output.Stream); ok {
		_ = s.Flush(time.Now().Add(endWithin)) // the end of the command reports what was not written
	}
	return term.Restore(int(t.in.Fd()), t.before)
}
