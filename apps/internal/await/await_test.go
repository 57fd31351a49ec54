package await

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestLeft: a step that does not heed the interruption is left to itself, and what comes
// of it is undone.
func TestLeft(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	release, undone := make(chan struct{}), make(chan int, 1)
	said := ""
	s := Step{For: "nothing", Tell: func(what string) { said = what; cancel() }, noticeAfter: time.Millisecond}
	v, err := Do(ctx, s, func() (int, error) { <-release; return 7, nil }, func(v int) { undone <- v })
	var e *InterruptedError
	if v != 0 || !errors.As(err, &e) || !Left(err) || !errors.Is(err, context.Canceled) || said != "nothing" {
		t.Errorf("%d, %v, said %q", v, err, said)
	}
	if want := "interrupted while waiting for nothing: context canceled"; err != nil && err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	close(release)
	if v := <-undone; v != 7 {
		t.Errorf("%d is undone", v)
	}
}

// TestHeeded: the error of a step that ends with its context says that it was interrupted;
// what a step made in time is kept.
func TestHeeded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	broken := errors.New("no peer")
	undo := func(int) { t.Error("undone") }
	_, err := Do(ctx, Step{}, func() (int, error) { cancel(); return 0, broken }, undo)
	if !errors.Is(err, broken) || Left(err) || err.Error() != "interrupted: no peer" {
		t.Error(err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	if v, err := Do(ctx, Step{}, func() (int, error) { cancel(); return 7, nil }, undo); v != 7 || err != nil {
		t.Errorf("%d, %v", v, err)
	}
	if _, err := Do(ctx, Step{}, func() (int, error) { t.Error("begun"); return 0, nil }, undo); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := Do(t.Context(), Step{}, func() (int, error) { return 0, broken }, undo); err != broken {
		t.Error(err)
	}
}
