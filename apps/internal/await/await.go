// Package await runs the steps by which a command opens something. A step may take long,
// because a device or a peer does not answer or because much memory is asked for; the user
// is told then, and can interrupt every step.
package await

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// leaveAfter is how long an interrupted step may take to end by itself.
	leaveAfter = 300 * time.Millisecond
	// noticeAfter is after what time the user is told what is awaited.
	noticeAfter = 2 * time.Second
)

// Step is something that may take long.
type Step struct {
	For  string            // what it waits for: "the device to answer"
	Tell func(what string) // is called with For if the step takes long, unless it is nil

	noticeAfter time.Duration // 0 for the constant; tests have less
}

// InterruptedError is the end of a context before a step was over.
type InterruptedError struct {
	For  string // what was awaited
	Left bool   // the step goes on
	Err  error  // of the step, or of the context
}

func (e *InterruptedError) Error() string {
	if e.Err == context.Canceled || e.Err == context.DeadlineExceeded { // f did not heed it
		return fmt.Sprintf("interrupted while waiting for %s: %v", e.For, e.Err)
	}
	return fmt.Sprintf("interrupted: %v", e.Err)
}

// Unwrap returns the cause.
func (e *InterruptedError) Unwrap() error { return e.Err }

// Left reports whether err is that of a step that goes on, and with it the use of what it
// was given.
func Left(err error) bool {
	var e *InterruptedError
	return errors.As(err, &e) && e.Left
}

// Do runs f. When ctx ends it returns an [*InterruptedError], and does so soon also if f
// does not heed ctx: f is then left to itself, and undo is called for what it returns,
// unless the program ends before.
func Do[T any](ctx context.Context, s Step, f func() (T, error), undo func(T)) (T, error) {
	type outcome struct {
		v   T
		err error
	}
	var none T
	if err := ctx.Err(); err != nil {
		return none, &InterruptedError{For: s.For, Err: err}
	}
	done := make(chan outcome, 1)
	go func() {
		v, err := f()
		done <- outcome{v, err}
	}()
	after := s.noticeAfter
	if after == 0 {
		after = noticeAfter
	}
	notice := time.NewTimer(after)
	defer notice.Stop()
	var leave <-chan time.Time
	interrupted := ctx.Done()
	for {
		select {
		case o := <-done:
			if o.err != nil && ctx.Err() != nil {
				o.err = &InterruptedError{For: s.For, Err: o.err}
			}
			return o.v, o.err
		case <-notice.C:
			if s.Tell != nil {
				s.Tell(s.For)
			}
		case <-interrupted:
			interrupted, leave = nil, time.After(leaveAfter)
		case <-leave:
			go func() {
				if o := <-done; o.err == nil {
					undo(o.v)
				}
			}()
			return none, &InterruptedError{For: s.For, Left: true, Err: ctx.Err()}
		}
	}
}
