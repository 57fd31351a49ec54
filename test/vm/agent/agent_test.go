package agent

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// pair joins a client to a server on this machine.
func pair(t *testing.T) (*Client, context.Context) {
	t.Helper()
	near, far := net.Pipe()
	served := make(chan error, 1)
	go func() { served <- Serve(far) }()
	c := NewClient(near)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(func() {
		cancel()
		_ = c.Close()
		if err := <-served; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return c, ctx
}

func TestRun(t *testing.T) {
	c, ctx := pair(t)
	r, err := c.Run(ctx, "/bin/sh", "-c", "echo out; echo err >&2; exit 3")
	if err != nil || r.Exit != 3 || r.Signal != 0 || r.Stdout != "out\n" || r.Stderr != "err\n" ||
		r.Ended == 0 {
		t.Errorf("%v, %v", r, err)
	}
	if r, err = c.Run(ctx, "/no/such/command"); err == nil || r.Exit != -1 ||
		!strings.Contains(err.Error(), "no such file") {
		t.Errorf("%v, %v", r, err)
	}
	if _, err = c.Run(ctx); err == nil {
		t.Error("no command, and no error")
	}
}

// TestManyAtOnce has commands end in another order than they were started.
func TestManyAtOnce(t *testing.T) {
	c, ctx := pair(t)
	waiting, err := c.Start("/bin/sleep", "1000")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if r, err := c.Run(ctx, "/bin/sh", "-c", "exit 0"); err != nil || r.Exit != 0 {
			t.Errorf("%v, %v", r, err)
		}
	}
	if err := waiting.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if r, err := waiting.Wait(ctx); err != nil || r.Exit != -1 || r.Signal != syscall.SIGTERM {
		t.Errorf("exit %d, signal %v, %v", r.Exit, r.Signal, err)
	}
	if err := waiting.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("a signal to a command that has ended: %v", err)
	}
}

func TestWaitFor(t *testing.T) {
	c, ctx := pair(t)
	cmd, err := c.Start("/bin/sh", "-c", "echo one; read line; echo two")
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.WaitFor(ctx, "one"); err != nil {
		t.Error(err)
	}
	if err := cmd.WaitFor(ctx, "two"); err != nil { // standard input is empty
		t.Error(err)
	}
	if err := cmd.WaitFor(ctx, "three"); err == nil || !strings.Contains(err.Error(), "two") {
		t.Errorf("waiting for what never comes: %v", err)
	}
}

func TestTooLong(t *testing.T) {
	c, ctx := pair(t)
	cmd, err := c.Start("/bin/sh", "-c", "echo begun; exec sleep 1000")
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.WaitFor(ctx, "begun"); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	var timeout *TimeoutError
	if _, err := cmd.Wait(short); !errors.As(err, &timeout) || timeout.Output != "begun\n" {
		t.Errorf("got %v, want a *TimeoutError with what was printed", err)
	}
	if r, err := cmd.Wait(ctx); err != nil || r.Signal != syscall.SIGKILL {
		t.Errorf("the command was not killed: %v, %v", r, err)
	}
}

// TestLost ends the channel under a command.
func TestLost(t *testing.T) {
	near, far := net.Pipe()
	c := NewClient(near)
	got := make(chan error, 1)
	go func() {
		_, err := c.Run(t.Context(), "/bin/true")
		got <- err
	}()
	if _, err := far.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	_ = far.Close()
	var lost *LostError
	if err := <-got; !errors.As(err, &lost) {
		t.Errorf("got %v, want a *LostError", err)
	}
	if _, err := c.Start("/bin/true"); !errors.As(err, &lost) {
		t.Errorf("after that: %v", err)
	}
}

func TestInput(t *testing.T) {
	c, ctx := pair(t)
	cmd, err := c.StartInteractive("/bin/sh", "-c", "read a; echo first $a; read b; echo second $b")
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"first", "second"} {
		if err := cmd.Input("line\n"); err != nil {
			t.Fatal(err)
		}
		if err := cmd.WaitFor(ctx, word+" line\n"); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := cmd.Wait(ctx); err != nil || r.Exit != 0 {
		t.Errorf("%v, %v", r, err)
	}
	if err := cmd.Input("late\n"); err != nil {
		t.Error(err)
	}
}
