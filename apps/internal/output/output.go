// Package output passes on what a command writes to its standard output and standard
// error, each from a goroutine of its own. Nothing else in the command waits for the
// program that reads them: not what moves packets, not the recovery of a port, which
// writes to the log, and not the end.
package output

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxQueued is how many bytes wait for a reader before lines are dropped.
const maxQueued = 256 << 10

// retryPeriod is the time between two attempts at a descriptor that another process
// made non-blocking.
const retryPeriod = 10 * time.Millisecond

// Stream is the standard output or the standard error of a command. Its methods may
// be called from any goroutine.
type Stream struct {
	app, name string
	out       io.Writer
	queue     *queue
	notices   *Stream // where dropped lines are reported

	// Under the lock of the queue:
	dropped int   // lines since the last report
	results int   // parts of the result that wait
	broken  error // why nothing can be written any more: there is no reader
	failed  error // the first write that failed, unless no result was in it and the reader ended
}

// Open returns streams that write to stdout and stderr. Where both are the same file,
// what is written to them keeps its order. Lines that are dropped because a reader does
// not read are counted, and reported once on stderr when it reads again.
func Open(app string, stdout, stderr io.Writer) (out, messages *Stream) {
	messages = &Stream{app: app, name: "standard error", out: stderr, queue: newQueue()}
	messages.notices = messages
	out = &Stream{app: app, name: "standard output", out: stdout, queue: messages.queue,
		notices: messages}
	if !sameFile(stdout, stderr) {
		out.queue = newQueue()
	}
	for _, s := range []*Stream{out, messages} {
		s.queue.streams = append(s.queue.streams, s)
	}
	go out.queue.run()
	if messages.queue != out.queue {
		go messages.queue.run()
	}
	return out, messages
}

// Write queues b, which is written whole or, while the reader does not read, dropped
// whole. It never waits. Once there is no reader it returns an error.
func (s *Stream) Write(b []byte) (int, error) {
	return len(b), s.queue.put(&entry{stream: s, text: slices.Clone(b)})
}

// Divert has what is written to the file of the stream, also through another stream, go to
// a function instead, until undo is called. It is for a screen on a terminal, which direct
// writes to. The function must not write to a stream.
func (s *Stream) Divert(to func([]byte)) (direct io.Writer, undo func()) {
	set := func(to func([]byte)) {
		s.queue.mu.Lock()
		defer s.queue.mu.Unlock()
		s.queue.diverted = to
	}
	set(to)
	return directWriter{s}, func() { set(nil) }
}

type directWriter struct{ s *Stream }

func (d directWriter) Write(b []byte) (int, error) {
	return len(b), d.s.queue.put(&entry{stream: d.s, text: slices.Clone(b), direct: true})
}

// Fd returns the descriptor of the file that the stream writes to, an invalid one if
// it is no file.
func (s *Stream) Fd() uintptr {
	if f, ok := s.out.(*os.File); ok {
		return f.Fd()
	}
	return ^uintptr(0)
}

// Flush waits until what was written is passed on, at most until the given time. It
// returns an [*Error] if a result was not, or if anything else failed than that the
// reader has ended.
func (s *Stream) Flush(until time.Time) error {
	done := make(chan struct{})
	s.queue.flush(&entry{stream: s, done: done})
	timeout := time.NewTimer(time.Until(until))
	defer timeout.Stop()
	select {
	case <-done:
	case <-timeout.C:
	}
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	switch {
	case s.failed != nil:
		return &Error{Stream: s.name, Err: s.failed}
	case s.results > 0:
		return &Error{Stream: s.name, Err: os.ErrDeadlineExceeded}
	}
	return nil
}

// Close flushes the stream and ends its goroutine, once a write that waits for a reader
// has returned. What is written afterwards is discarded.
func (s *Stream) Close(until time.Time) error {
	err := s.Flush(until)
	s.queue.close()
	return err
}

// Result returns a writer for the outcome of a command: on a [Stream] it is not dropped,
// and [Stream.Flush] returns an error if it was not written. Any other writer is returned
// as it is.
func Result(w io.Writer) io.Writer {
	if s, ok := w.(*Stream); ok {
		return resultWriter{s}
	}
	return w
}

type resultWriter struct{ s *Stream }

// Write returns no error of a stream without a reader: Flush does, once.
func (r resultWriter) Write(b []byte) (int, error) {
	err := r.s.queue.put(&entry{stream: r.s, text: slices.Clone(b), result: true})
	if errors.Is(err, syscall.EPIPE) {
		err = nil
	}
	return len(b), err
}

// Closed reports whether w writes to a descriptor that was closed when the program
// started. The Go runtime has opened /dev/null in its place, for reading and writing,
// which is how it is recognised.
func Closed(w io.Writer) bool {
	s, ok := w.(*Stream)
	if !ok {
		return false
	}
	f, ok := s.out.(*os.File)
	if !ok {
		return false
	}
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR ||
		st.Rdev != unix.Mkdev(1, 3) {
		return false
	}
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_ACCMODE == unix.O_RDWR
}

// Error is a result that was not written, or a write that failed.
type Error struct {
	Stream string // "standard output"
	Err    error  // os.ErrDeadlineExceeded if the reader does not read
}

func (e *Error) Error() string {
	switch {
	case errors.Is(e.Err, os.ErrDeadlineExceeded):
		return "write to " + e.Stream + ": its reader does not read: the result was not written"
	case errors.Is(e.Err, syscall.EPIPE):
		return "write to " + e.Stream + ": its reader has ended: the result was not written"
	}
	var path *os.PathError
	if errors.As(e.Err, &path) {
		return fmt.Sprintf("write to %s: %v", e.Stream, path.Err)
	}
	return fmt.Sprintf("write to %s: %v", e.Stream, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// write writes b, however long that takes.
func (s *Stream) write(b []byte) error {
	for {
		n, err := s.out.Write(b)
		if !errors.Is(err, syscall.EAGAIN) {
			return err
		}
		b = b[n:]
		time.Sleep(retryPeriod)
	}
}

// lines counts the lines of a text, of which the last may be incomplete.
func lines(b []byte) int {
	n := bytes.Count(b, []byte("\n"))
	if len(b) > 0 && b[len(b)-1] != '\n' {
		n++
	}
	return n
}

func sameFile(a, b io.Writer) bool {
	f, ok1 := a.(*os.File)
	g, ok2 := b.(*os.File)
	if !ok1 || !ok2 {
		return false
	}
	fi, err1 := f.Stat()
	gi, err2 := g.Stat()
	return err1 == nil && err2 == nil && os.SameFile(fi, gi)
}
