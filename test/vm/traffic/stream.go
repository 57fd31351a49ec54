package traffic

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// Wire is a place where frames go in and come out.
type Wire interface {
	// Name says which wire this is.
	Name() string
	// Send puts one frame onto the wire, waiting until there is room.
	Send(frame []byte) error
	// Receive takes one frame off the wire, waiting until there is one.
	Receive(buf []byte) (int, error)
	// SetReadDeadline and SetWriteDeadline bound the waiting, with errors that
	// are os.ErrDeadlineExceeded.
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
	Close() error
}

// Stream is a number of frames that go in one direction.
type Stream struct {
	From, To Wire
	// Count is the number of frames.
	Count int
	// Flows is how many flows the frames belong to, by turns; 0 means one.
	// Order is kept within a flow.
	Flows int
	// MinSize and MaxSize bound the frames' sizes, which all occur. 0 means
	// the package's MinSize and MaxSize.
	MinSize, MaxSize int
	// Window is how many frames are under way at once; 0 means 32.
	Window int
	// Sent are the frames' addresses as sent, Want as they are to arrive.
	Sent, Want MACs

	run      uint32
	received atomic.Int64
	foreign  int
	mark     int
	reached  chan<- struct{}
}

// runs numbers the streams of this process, so that a frame that was held up
// somewhere is not taken for one of a later stream.
type runs struct{ last atomic.Uint32 }

// Lab makes the streams of one test process distinguishable.
type Lab struct{ runs runs }

const (
	defaultWindow = 32
	tick          = 100 * time.Millisecond
	largest       = 65536
)

// prepare settles what was left open.
func (s *Stream) prepare(l *Lab) {
	s.run = l.runs.last.Add(1)
	s.received.Store(0)
	s.foreign = 0
	if s.Flows == 0 {
		s.Flows = 1
	}
	if s.MinSize == 0 {
		s.MinSize = MinSize
	}
	if s.MaxSize == 0 {
		s.MaxSize = MaxSize
	}
	if s.Window == 0 {
		s.Window = defaultWindow
	}
}

// Received is how many frames have arrived so far. It may be called at any time.
func (s *Stream) Received() int { return int(s.received.Load()) }

// Reached has a value sent on c, which has room for it, when the stream has
// received n frames. It is called before the stream runs.
func (s *Stream) Reached(n int, c chan<- struct{}) { s.mark, s.reached = n, c }

// String names the direction.
func (s *Stream) String() string { return s.From.Name() + " > " + s.To.Name() }

// frame makes frame number i of all flows.
func (s *Stream) frame(buf []byte, i int, m MACs) []byte {
	id := identity{run: s.run, flow: uint16(i % s.Flows), seq: uint32(i / s.Flows)}
	return encode(buf, m, id, s.MinSize+i*7919%(s.MaxSize-s.MinSize+1))
}

// total is how many frames are sent: the numbered ones, and one of each flow
// at the end that is sent when all others have arrived, so that a frame that
// arrives twice is noticed.
func (s *Stream) total() int { return s.Count + s.Flows }

// send sends all frames. A token of window is a frame under way.
func (s *Stream) send(ctx context.Context, window chan struct{}) error {
	buf := make([]byte, largest)
	for i := range s.total() {
		tokens := 1
		if i == s.Count {
			tokens = cap(window) // all others have arrived
		}
		for range tokens {
			select {
			case window <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		for range tokens - 1 {
			<-window
		}
		f := s.frame(buf, i, s.Sent)
		if err := patiently(ctx, s.From.SetWriteDeadline, func() error {
			return s.From.Send(f)
		}); err != nil {
			return fmt.Errorf("%v: sending frame %d: %w", s, i, err)
		}
	}
	return nil
}

// receive takes frames until all have arrived.
func (s *Stream) receive(ctx context.Context, window chan struct{}) error {
	next := make([]uint32, s.Flows)
	got, want := make([]byte, largest), make([]byte, largest)
	for s.Received() < s.total() {
		var n int
		err := patiently(ctx, s.To.SetReadDeadline, func() (err error) {
			n, err = s.To.Receive(got)
			return err
		})
		if err != nil {
			return s.missing(next, err)
		}
		id, ours := identify(got[:n])
		if !ours || id.run != s.run {
			s.foreign++
			continue
		}
		if int(id.flow) >= s.Flows {
			return &FrameError{Stream: s.String(), Flow: id.flow, Seq: id.seq,
				Reason: "belongs to no flow that was sent"}
		}
		expected := next[id.flow]
		if id.seq != expected {
			return &FrameError{Stream: s.String(), Flow: id.flow, Seq: id.seq,
				Reason: disorder(id.seq, expected)}
		}
		f := s.frame(want, int(id.seq)*s.Flows+int(id.flow), s.Want)
		if diff := compare(got[:n], f); diff != "" {
			return &FrameError{Stream: s.String(), Flow: id.flow, Seq: id.seq, Reason: diff}
		}
		next[id.flow]++
		if s.received.Add(1) == int64(s.mark) {
			s.reached <- struct{}{}
		}
		<-window
	}
	return nil
}

// disorder says what is wrong with a sequence number.
func disorder(seq, expected uint32) string {
	if seq < expected {
		return fmt.Sprintf("arrived again, or late, when %d was the next", expected)
	}
	return fmt.Sprintf("arrived when %d was the next: %d lost or overtaken", expected, seq-expected)
}

// missing makes the error of a stream that has come to a halt.
func (s *Stream) missing(next []uint32, err error) error {
	flow := 0
	for i, n := range next {
		if n < next[flow] {
			flow = i
		}
	}
	return &LossError{Stream: s.String(), Received: s.Received(), Sent: s.Count, Flow: flow,
		Next:    int(next[flow]),
		Foreign: s.foreign, Cause: err}
}

// patiently repeats an operation of a wire that has a deadline until it is
// done, fails or ctx ends.
func patiently(ctx context.Context, deadline func(time.Time) error, operation func() error) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := deadline(time.Now().Add(tick)); err != nil {
			return err
		}
		if err := operation(); !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
}

// FrameError is a frame that should not have arrived as it did.
type FrameError struct {
	Stream string
	Flow   uint16
	Seq    uint32
	Reason string
}

func (e *FrameError) Error() string {
	return fmt.Sprintf("traffic: %s: flow %d frame %d %s", e.Stream, e.Flow, e.Seq, e.Reason)
}

// LossError is a stream that came to a halt because frames are missing.
type LossError struct {
	Stream         string
	Received, Sent int
	// Flow waits for the frame Next.
	Flow, Next int
	// Foreign is how many frames arrived that were none of the stream's.
	Foreign int
	Cause   error
}

func (e *LossError) Error() string {
	return fmt.Sprintf("traffic: %s: %d of %d frames arrived (and %d others); flow %d waits for frame %d: %v",
		e.Stream, e.Received, e.Sent, e.Foreign, e.Flow, e.Next, e.Cause)
}

// Unwrap gives the cause.
func (e *LossError) Unwrap() error { return e.Cause }
