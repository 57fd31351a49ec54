package session

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/portset"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/report"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// newSession is a session of one port that receives frames without end.
func newSession(t *testing.T) *Session {
	t.Helper()
	spec, err := devargs.Parse("emu:gen")
	if err != nil {
		t.Fatal(err)
	}
	return &Session{
		App: "app", Options: command.Options{JSON: true, Burst: 32},
		Ports: []Port{{Spec: spec, Number: 3, Role: "(test)"}},
	}
}

// TestRun: Begin comes before the first poll and End after the last; what the
// command dropped and what packets cost is in the object, and the ports are closed.
func TestRun(t *testing.T) {
	s := newSession(t)
	ctx, cancel := context.WithCancel(t.Context())
	var order []string
	var set *portset.Set
	s.Prepare = func(opened *portset.Set) (Work, error) {
		set = opened
		step := func(name string) func() { return func() { order = append(order, name) } }
		poll := func() bool {
			if order[len(order)-1] == "begin" {
				order = append(order, "poll")
				cancel()
			}
			return true
		}
		return Work{
			Polls: []func() bool{poll}, Begin: step("begin"), End: step("end"),
			Dropped: func(i int) uint64 { return uint64(i) + 7 },
			Cycles:  func() *report.Cycles { return &report.Cycles{Clock: "clock", Packets: 5} },
		}, nil
	}
	var stdout, stderr bytes.Buffer
	if err := s.Run(ctx, &stdout, &stderr); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(order, " "); got != "begin poll end" {
		t.Errorf("the order was %q", got)
	}
	var o report.Object
	if err := json.Unmarshal(stdout.Bytes(), &o); err != nil {
		t.Fatalf("%v: %q", err, stdout.String())
	}
	if len(o.Ports) != 1 || o.Ports[0].TxDropped != 7 || o.Cycles == nil || o.Cycles.Packets != 5 {
		t.Errorf("unexpected object %+v", o)
	}
	for _, want := range []string{"app: port 3: emu:gen (test), path: RX ", "Forward statistics for port 3"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("standard error lacks %q:\n%s", want, stderr.String())
		}
	}
	checkClosed(t, set)
}

// TestPrepareFails: the error is returned and the ports are closed.
func TestPrepareFails(t *testing.T) {
	s := newSession(t)
	broken := errors.New("broken")
	var set *portset.Set
	s.Prepare = func(opened *portset.Set) (Work, error) {
		set = opened
		return Work{}, broken
	}
	var stdout bytes.Buffer
	if err := s.Run(t.Context(), &stdout, io.Discard); !errors.Is(err, broken) || stdout.Len() != 0 {
		t.Errorf("error %v and standard output %q", err, stdout.String())
	}
	checkClosed(t, set)
}

// TestPollerFails: a poller that panics ends the session with an error that is
// printed beside the outcome.
func TestPollerFails(t *testing.T) {
	s := newSession(t)
	s.Prepare = func(*portset.Set) (Work, error) {
		return Work{Polls: []func() bool{func() bool { panic("broken") }}}, nil
	}
	var stdout bytes.Buffer
	done := make(chan error, 1)
	go func() { done <- s.Run(t.Context(), &stdout, io.Discard) }()
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "broken") || !strings.HasPrefix(stdout.String(), `{"app":"app"`) {
			t.Errorf("error %v and standard output %q", err, stdout.String())
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the session does not end")
	}
}

// checkClosed checks that the ports are closed and their memory is released.
func checkClosed(t *testing.T, set *portset.Set) {
	t.Helper()
	for _, port := range set.Ports {
		select {
		case <-port.Done():
		default:
			t.Errorf("%s is not closed", port.Name())
		}
	}
	if (*mbuf.DriverPool)(set.Pool).Memory().Bytes() != nil {
		t.Error("the packet buffers were not released")
	}
}
