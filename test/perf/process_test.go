package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// TestProcess checks that a program runs on the CPU that was asked for, with what was
// added to its environment, and ends when it is asked to.
func TestProcess(t *testing.T) {
	p, err := startProcess(0, []string{"PERF_TEST=here"}, "/bin/sh", "-c",
		`trap 'echo stopped; exit 0' INT; echo "$PERF_TEST" >&2; grep Cpus_allowed_list /proc/self/status; while :; do sleep 0.01; done`)
	if err != nil {
		t.Fatal(err)
	}
	err = p.waitFor(t.Context(), "a line", grace, time.Millisecond, func() bool {
		return strings.Contains(p.output.String(), "Cpus_allowed_list")
	})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := p.resident(); err != nil || n == 0 {
		t.Errorf("%d bytes resident, %v", n, err)
	}
	if err := p.early(); err != nil {
		t.Error(err)
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	if out := p.output.String(); !strings.Contains(out, "Cpus_allowed_list:\t0\n") ||
		!strings.Contains(out, "here") || !strings.Contains(out, "stopped") {
		t.Errorf("output %q", out)
	}
	if out := p.stdout.String(); strings.Contains(out, "here") ||
		!strings.Contains(out, "stopped") {
		t.Errorf("standard output %q", out)
	}
	if _, at := p.output.Last(); time.Since(at) > grace || at.Before(p.began) {
		t.Errorf("it wrote last at %v", at)
	}
}

// TestProcessFails checks that a program that ends by itself, that ends badly, that never
// does what is awaited, or that does not start, is an error
// with its output.
func TestProcessFails(t *testing.T) {
	p, err := startProcess(0, nil, "/bin/sh", "-c", "echo why; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	never := func() bool { return false }
	var e *processError
	if err := p.waitFor(t.Context(), "x", grace, time.Millisecond, never); !errors.As(err, &e) ||
		!strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "why") {
		t.Errorf("%v, want a *processError with status and output", err)
	}
	if err := p.stop(); !errors.As(err, &e) {
		t.Errorf("%v, want a *processError", err)
	}

	p, err = startProcess(0, nil, "/bin/sleep", "1000")
	if err != nil {
		t.Fatal(err)
	}
	defer p.kill()
	if err := p.waitFor(t.Context(), "the event", time.Millisecond, time.Millisecond,
		never); !errors.As(err, &e) ||
		!strings.Contains(err.Error(), "the event has not happened") {
		t.Errorf("%v, want a *processError", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.waitFor(ctx, "x", grace, time.Millisecond, never); !errors.Is(err,
		context.Canceled) {
		t.Errorf("%v, want that it was cancelled", err)
	}
	if _, err := startProcess(0, nil, "/no/such/program"); err == nil ||
		!strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("%v", err)
	}
	if _, err := startProcess(1023, nil, "/bin/true"); err == nil ||
		!strings.Contains(err.Error(), "CPU 1023") {
		t.Errorf("%v", err)
	}
}
