package output

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// reader is what reads a stream: it takes text while it is open.
type reader struct {
	mu      sync.Mutex
	changed *sync.Cond
	stalled bool
	err     error // of the next writes
	text    bytes.Buffer
}

func newReader(stalled bool) *reader {
	r := &reader{stalled: stalled}
	r.changed = sync.NewCond(&r.mu)
	return r
}

func (r *reader) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.stalled {
		r.changed.Wait()
	}
	if r.err != nil {
		return 0, r.err
	}
	return r.text.Write(b)
}

func (r *reader) read() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stalled = false
	r.changed.Broadcast()
}

func (r *reader) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// hang is for how long a test waits for what has to happen.
const hang = 30 * time.Second

func flush(t *testing.T, s *Stream) {
	t.Helper()
	if err := s.Flush(time.Now().Add(hang)); err != nil {
		t.Error(err)
	}
}

// TestOrder: what is written arrives whole and in order, from one stream or from two that
// are the same file.
func TestOrder(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/both")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	out, messages := Open("app", file, file)
	var want strings.Builder
	for i := range 1000 {
		s := out
		if i%3 == 0 {
			s = messages
		}
		line := fmt.Sprintf("line %d\n", i)
		want.WriteString(line)
		if _, err := s.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	flush(t, out)
	if err := messages.Close(time.Now().Add(hang)); err != nil {
		t.Error(err)
	}
	got, err := os.ReadFile(file.Name())
	if err != nil || string(got) != want.String() {
		t.Errorf("%v, %d bytes of %d", err, len(got), want.Len())
	}
	if _, err := messages.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a write to a closed stream: %v", err)
	}
}

// TestStalled: no write waits for a reader that does not read. What does not fit is
// dropped, and reported once, in its place, when the reader reads again; the result and
// what came before the loss are complete.
func TestStalled(t *testing.T) {
	for _, of := range []string{"standard output", "standard error"} {
		t.Run(of, func(t *testing.T) {
			stdout, stderr := newReader(of == "standard output"), newReader(of == "standard error")
			out, messages := Open("app", stdout, stderr)
			s, r := out, stdout
			if of == "standard error" {
				s, r = messages, stderr
			}
			line := strings.Repeat("x", 99) + "\n"
			const written = 2 * maxQueued / 100
			for range written {
				if _, err := s.Write([]byte(line)); err != nil {
					t.Fatal(err)
				}
			}
			if of == "standard output" {
				fmt.Fprint(Result(s), "result\n")
			}
			r.read()
			flush(t, s)
			fmt.Fprintln(s, "after")
			flush(t, out)
			flush(t, messages)
			passed := strings.Count(r.String(), line)
			notice := fmt.Sprintf("app: %s was not read: %d lines were dropped\n", of, written-passed)
			if passed == written || passed < maxQueued/100-1 {
				t.Errorf("%d of %d lines were passed on", passed, written)
			}
			want, log := strings.Repeat(line, passed)+"result\nafter\n", stderr.String()
			if of == "standard error" {
				want, log = strings.Repeat(line, passed)+notice+"after\n", notice
			}
			if r.String() != want {
				t.Errorf("%d bytes arrived, which end with %q", len(r.String()), r.String()[100*passed:])
			}
			if log != notice {
				t.Errorf("standard error is %q, want %q", log, notice)
			}
		})
	}
}

// TestFlushEnds: a reader that never reads is an error where a result is for it, and of
// no account otherwise.
func TestFlushEnds(t *testing.T) {
	stdout := newReader(true)
	defer stdout.read()
	out, messages := Open("app", stdout, newReader(false))
	fmt.Fprintln(out, "a screen")
	if err := out.Flush(time.Now()); err != nil {
		t.Errorf("without a result: %v", err)
	}
	fmt.Fprintln(Result(out), "result")
	var e *Error
	if err := out.Flush(time.Now()); !errors.As(err, &e) || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("with a result: %v", err)
	}
	if err := messages.Close(time.Now().Add(hang)); err != nil {
		t.Error(err)
	}
}

// TestReaderEnded: a reader that has ended is an error where a result is for it, now or
// later; any other failure always is.
func TestReaderEnded(t *testing.T) {
	for _, c := range []struct {
		err                error
		result, wantFailed bool
	}{
		{syscall.EPIPE, false, false}, {syscall.EPIPE, true, true}, {syscall.ENOSPC, false, true}, {syscall.ENOSPC, true, true},
	} {
		stdout := newReader(false)
		stdout.err = c.err
		out, _ := Open("app", stdout, newReader(false))
		fmt.Fprintln(out, "a screen")
		_ = out.Flush(time.Now().Add(hang))
		if _, err := out.Write([]byte("another\n")); errors.Is(err, syscall.EPIPE) != (c.err == syscall.EPIPE) {
			t.Errorf("%v: the next write: %v", c.err, err)
		}
		if c.result {
			if _, err := fmt.Fprintln(Result(out), "result"); err != nil {
				t.Errorf("%v: a result: %v, which is for Close to say", c.err, err)
			}
		}
		err := out.Close(time.Now().Add(hang))
		if failed := errors.Is(err, c.err); failed != c.wantFailed {
			t.Errorf("%v, result %t: %v", c.err, c.result, err)
		}
	}
}

// TestNonBlocking: a descriptor that another process made non-blocking loses nothing.
func TestNonBlocking(t *testing.T) {
	var text bytes.Buffer
	out, _ := Open("app", &hesitant{out: &text}, newReader(false))
	fmt.Fprint(Result(out), "one line in pieces\n")
	if err := out.Close(time.Now().Add(hang)); err != nil || text.String() != "one line in pieces\n" {
		t.Errorf("%v, %q", err, text.String())
	}
}

// hesitant takes three bytes at a time.
type hesitant struct{ out *bytes.Buffer }

func (h *hesitant) Write(b []byte) (int, error) {
	if len(b) <= 3 {
		return h.out.Write(b)
	}
	h.out.Write(b[:3])
	return 3, syscall.EAGAIN
}

// TestResult: a writer that is no stream is used as it is.
func TestResult(t *testing.T) {
	var b bytes.Buffer
	if Result(&b) != &b || Closed(&b) {
		t.Error("a buffer is not used as it is")
	}
}

// TestDivert: while a screen has the terminal, what else is written to it goes to the
// screen's function, from both streams, and what the screen writes does not.
func TestDivert(t *testing.T) {
	var b bytes.Buffer
	file, err := os.Create(filepath.Join(t.TempDir(), "terminal"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	out, messages := Open("app", file, file)
	direct, undo := out.Divert(func(text []byte) { b.Write(text) })
	for w, text := range map[io.Writer]string{messages: "message\n", out: "line\n", direct: "screen\n"} {
		if _, err := io.WriteString(w, text); err != nil {
			t.Error(err)
		}
	}
	undo()
	if _, err := io.WriteString(messages, "later\n"); err != nil {
		t.Error(err)
	}
	if err := errors.Join(messages.Close(time.Now().Add(10*time.Second)), out.Close(time.Now().Add(10*time.Second))); err != nil {
		t.Error(err)
	}
	got, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != "screen\nlater\n" || b.Len() != len("message\nline\n") {
		t.Errorf("written %q, diverted %q", got, b.String())
	}
}
