package main

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestReadAt checks that the meter is read when it says how things are at the time that
// was asked for, and not before; what fails meanwhile is returned.
func TestReadAt(t *testing.T) {
	p, err := startProcess(0, nil, "/bin/sleep", "1000")
	if err != nil {
		t.Fatal(err)
	}
	defer p.kill()
	begin := time.Now()
	then := begin.Add(20 * time.Millisecond)
	looks := 0
	b := &backEnd{process: p, count: func() (uint64, time.Time, error) {
		if looks++; looks < 4 { // the last screen came earlier
			return 1, begin, nil
		}
		return 42, then, nil
	}}
	n, at, err := b.readAt(t.Context(), p, then)
	if err != nil || n != 42 || at != then || time.Now().Before(then) || looks != 4 {
		t.Errorf("%d packets at %v after %d looks: %v", n, at.Sub(begin), looks, err)
	}

	broken := errors.New("broken")
	b.count = func() (uint64, time.Time, error) { return 0, time.Time{}, broken }
	if _, _, err := b.readAt(t.Context(), p, then); !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := b.readAt(ctx, p, time.Now().Add(time.Hour)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that it was cancelled", err)
	}
	// The driver that ended is the reason, and so is the back end.
	p.kill()
	b.count = func() (uint64, time.Time, error) { return 1, begin, nil }
	var e *processError
	if _, _, err := b.readAt(t.Context(), p, time.Now()); !errors.As(err, &e) {
		t.Errorf("%v, want a *processError", err)
	}
	b.count = func() (uint64, time.Time, error) { return 1, time.Now(), nil }
	if _, _, err := b.readAt(t.Context(), p, begin); !errors.As(err, &e) {
		t.Errorf("%v, want a *processError", err)
	}
}
