package portset

import (
	"context"
	"fmt"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
)

const (
	// leaveAfter is how long an interrupted step may take to end by itself.
	leaveAfter = 300 * time.Millisecond
	// peerNotice and longNotice are after what time the user is told what is awaited: a
	// peer that is still to be started, and anything else.
	peerNotice = 200 * time.Millisecond
	longNotice = 2 * time.Second
)

// InterruptedError is the end of a context before everything was open.
type InterruptedError struct {
	Waiting string // what was awaited
	Err     error  // of the step, or of the context
}

func (e *InterruptedError) Error() string {
	return fmt.Sprintf("interrupted while waiting for %s: %v", e.Waiting, e.Err)
}

// Unwrap returns the cause.
func (e *InterruptedError) Unwrap() error { return e.Err }

// step is something that may take long.
type step struct {
	port    string // "" for the pool
	waiting string // what for
	notice  time.Duration
}

// stepOf returns what the opening of a port waits for.
func stepOf(spec devargs.Spec) step {
	s := step{port: spec.Text, waiting: "its device to answer", notice: longNotice}
	switch {
	case spec.Kind != devargs.VhostUser:
	case spec.Server:
		s.waiting, s.notice = "a back end to connect to "+spec.Socket, peerNotice
	default:
		s.waiting = "the back end at " + spec.Socket + " to answer"
	}
	return s
}

// await runs f, and has the user told when that takes long. When ctx ends it returns an
// [*InterruptedError], soon also if f does not heed ctx: then left is true, f goes on,
// and undo is called for what f returns, unless the program ends before.
func await[T any](ctx context.Context, s step, tell func(string), f func() (T, error), undo func(T)) (v T, left bool, err error) {
	type outcome struct {
		v   T
		err error
	}
	if err := ctx.Err(); err != nil {
		return v, false, &InterruptedError{Waiting: s.waiting, Err: err}
	}
	done := make(chan outcome, 1)
	go func() {
		v, err := f()
		done <- outcome{v, err}
	}()
	notice := time.NewTimer(s.notice)
	defer notice.Stop()
	var leave <-chan time.Time
	interrupted := ctx.Done()
	for {
		select {
		case o := <-done:
			if o.err != nil && ctx.Err() != nil {
				o.err = &InterruptedError{Waiting: s.waiting, Err: o.err}
			}
			return o.v, false, o.err
		case <-notice.C:
			if tell != nil {
				tell(s.line())
			}
		case <-interrupted:
			interrupted, leave = nil, time.After(leaveAfter)
		case <-leave:
			go func() {
				if o := <-done; o.err == nil {
					undo(o.v)
				}
			}()
			return v, true, &InterruptedError{Waiting: s.waiting, Err: ctx.Err()}
		}
	}
}

func (s step) line() string {
	if s.port == "" {
		return "waiting for " + s.waiting
	}
	return "port " + s.port + ": waiting for " + s.waiting
}
