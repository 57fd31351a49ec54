package traffic

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// Exchange runs streams at once, each with a wire of its own to arrive at,
// until every frame has arrived or something is wrong.
func (l *Lab) Exchange(ctx context.Context, streams ...*Stream) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error)
	for _, s := range streams {
		s.prepare(l)
	}
	for _, s := range streams {
		window := make(chan struct{}, s.Window)
		go func() { ended <- s.send(ctx, window) }()
		go func() { ended <- s.receive(ctx, window) }()
	}
	var failed []error
	for range 2 * len(streams) {
		err := <-ended
		if err == nil {
			continue
		}
		cancel() // the others' errors follow from this one
		if len(failed) == 0 || !errors.Is(err, context.Canceled) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// Await sends frames in the direction of s, of which it takes only the wires
// and addresses, until one has arrived: what is under test forwards.
func (l *Lab) Await(ctx context.Context, s *Stream) error {
	probe := Stream{From: s.From, To: s.To, Sent: s.Sent, MinSize: s.MinSize}
	probe.prepare(l)
	buf := make([]byte, largest)
	for i := 0; ; i++ {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("traffic: %v: nothing is forwarded: %w", s, err)
		}
		deadline := time.Now().Add(tick)
		if err := s.From.SetWriteDeadline(deadline); err != nil {
			return err
		}
		// A full wire is no error: what is under test has not begun yet.
		if err := s.From.Send(probe.frame(buf, i, s.Sent)); err != nil &&
			!errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("traffic: %v: sending a probe: %w", s, err)
		}
		arrived, err := s.arrived(deadline, probe.run, buf)
		if err != nil || arrived {
			return err
		}
	}
}

// arrived waits until deadline for a frame of a run.
func (s *Stream) arrived(deadline time.Time, run uint32, buf []byte) (bool, error) {
	if err := s.To.SetReadDeadline(deadline); err != nil {
		return false, err
	}
	for {
		n, err := s.To.Receive(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("traffic: %v: waiting for a probe: %w", s, err)
		}
		if id, ours := identify(buf[:n]); ours && id.run == run {
			return true, nil
		}
	}
}
