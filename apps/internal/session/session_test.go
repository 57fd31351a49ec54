package session

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/pollers"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/portset"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/report"
	"github.com/virtio-pmd/virtio-pmd/driver"
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
	var set portset.Set
	s.Prepare = func(opened *portset.Set) (Work, error) {
		set = *opened
		set.Ports = slices.Clone(opened.Ports) // without those that Close removes
		step := func(name string) func() { return func() { order = append(order, name) } }
		poll := func() bool {
			if order[len(order)-1] == "begin" {
				order = append(order, "poll")
				cancel()
			}
			return true
		}
		return Work{
			Pollers: []pollers.Poller{{Poll: poll}}, Begin: step("begin"), End: step("end"),
			Dropped: func(i int) []uint64 { return []uint64{uint64(i) + 7} },
			Cycles:  func() *report.Cycles { return &report.Cycles{Clock: "clock", Packets: 5} },
		}, nil
	}
	var stdout, stderr bytes.Buffer
	var unsent *report.UnsentError // all that was to leave by the port was dropped
	if err := s.Run(ctx, &stdout, &stderr); !errors.As(err, &unsent) || unsent.Number != 3 || unsent.Packets != 7 {
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
	checkClosed(t, &set)
}

// TestOutput: what goes where, by the options.
func TestOutput(t *testing.T) {
	const (
		screen  = "app  "
		path    = "app: port 3: emu:gen (test), path: "
		summary = "Accumulated forward statistics"
		object  = `{"app":"app","version":`
		line    = `,"period_s":`
	)
	for _, c := range []struct {
		name           string
		options        command.Options
		stdout, stderr []string // what is there; of the rest nothing is
	}{
		{"plain", command.Options{StatsPeriod: time.Millisecond}, []string{screen, summary}, []string{path}},
		{"no period", command.Options{}, []string{summary}, []string{path}},
		{"quiet", command.Options{StatsPeriod: time.Millisecond, Quiet: true}, []string{summary}, nil},
		{"json", command.Options{StatsPeriod: time.Millisecond, JSON: true}, []string{object}, []string{path, screen, summary}},
		{"json, quiet", command.Options{StatsPeriod: time.Millisecond, JSON: true, Quiet: true}, []string{object}, nil},
		{"lines", command.Options{StatsPeriod: time.Millisecond, JSON: true, JSONLines: true}, []string{object, line}, []string{path, summary}},
		{"lines, quiet", command.Options{StatsPeriod: time.Millisecond, JSON: true, JSONLines: true, Quiet: true}, []string{object, line}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSession(t)
			s.Options, s.Options.Burst, s.Options.Duration = c.options, 32, time.Minute
			s.Prepare = func(*portset.Set) (Work, error) {
				return Work{Pollers: []pollers.Poller{{Poll: func() bool { return false }}}}, nil
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			stdout, stderr := awaited{until: line, then: cancel}, awaited{until: screen, then: cancel}
			switch shows := c.options.StatsPeriod > 0 && (!c.options.Quiet || c.options.JSONLines); {
			case !shows:
				s.Options.Duration = 20 * time.Millisecond
			case !c.options.JSON:
				stdout.until = screen
			}
			if err := s.Run(ctx, &stdout, &stderr); err != nil {
				t.Fatal(err)
			}
			for _, what := range []string{screen, path, summary, object, line} {
				if has := strings.Contains(stdout.String(), what); has != slices.Contains(c.stdout, what) {
					t.Errorf("%q on standard output: %t", what, has)
				}
				if has := strings.Contains(stderr.String(), what); has != slices.Contains(c.stderr, what) {
					t.Errorf("%q on standard error: %t", what, has)
				}
			}
			if c.options.JSON {
				checkLines(t, stdout.String())
			}
		})
	}
}

// awaited is an output that ends a run when it has a text.
type awaited struct {
	bytes.Buffer
	until string
	then  func()
}

func (a *awaited) Write(b []byte) (int, error) {
	n, err := a.Buffer.Write(b)
	if strings.Contains(a.String(), a.until) {
		a.then()
	}
	return n, err
}

// checkLines checks that each line is an object, and that only the last has no period.
func checkLines(t *testing.T, text string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	last := 0.0
	for i, line := range lines {
		var o report.Object
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("line %d: %v: %q", i, err, line)
		}
		if final := i == len(lines)-1; final != (o.Period == 0) || o.Duration < last || len(o.Ports) != 1 {
			t.Errorf("line %d of %d: %q", i, len(lines), line)
		}
		last = o.Duration
	}
}

// TestCPUsFirst: a CPU that cannot poll is found before a port is opened.
func TestCPUsFirst(t *testing.T) {
	s := newSession(t)
	s.Options.CPUs = []int{0, 1023}
	s.Open = func(devargs.Spec, devargs.Options) (*driver.Port, error) {
		t.Error("a port is opened")
		return nil, errors.New("not opened")
	}
	err := s.Run(t.Context(), io.Discard, io.Discard)
	var usage *command.UsageError
	if !errors.As(err, &usage) || usage.Option != "cpus" || usage.Value != "1023" || usage.Remedy == "" {
		t.Errorf("%v, want a *command.UsageError", err)
	}
}

// TestPrepareFails: the error is returned and the ports are closed.
func TestPrepareFails(t *testing.T) {
	s := newSession(t)
	broken := errors.New("broken")
	var set portset.Set
	s.Prepare = func(opened *portset.Set) (Work, error) {
		set = *opened
		set.Ports = slices.Clone(opened.Ports) // without those that Close removes
		return Work{}, broken
	}
	var stdout bytes.Buffer
	if err := s.Run(t.Context(), &stdout, io.Discard); !errors.Is(err, broken) || stdout.Len() != 0 {
		t.Errorf("error %v and standard output %q", err, stdout.String())
	}
	checkClosed(t, &set)
}

// TestPollerFails: a poller that panics ends the session with an error that is
// printed beside the outcome.
func TestPollerFails(t *testing.T) {
	s := newSession(t)
	s.Prepare = func(*portset.Set) (Work, error) {
		return Work{Pollers: []pollers.Poller{{Poll: func() bool { panic("broken") }}}}, nil
	}
	var stdout bytes.Buffer
	done := make(chan error, 1)
	go func() { done <- s.Run(t.Context(), &stdout, io.Discard) }()
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "broken") || !strings.HasPrefix(stdout.String(), `{"app":"app"`) {
			t.Errorf("error %v and standard output %q", err, stdout.String())
		}
	case <-time.After(time.Minute):
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

// A memory fault before the first poll or after the last one is an error, and the pollers'
// queues are told.
func TestSurvive(t *testing.T) {
	mem, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mem)
	var told error
	w := Work{Pollers: []pollers.Poller{{}, {Abandon: func(cause error) bool {
		told = cause
		return true
	}}}}
	if err := w.survive(func() { mem[0] = 1 }); err == nil || err != told {
		t.Errorf("error %v, and the queues were told %v", err, told)
	}
	if err := errors.Join(w.survive(nil), w.survive(func() {})); err != nil {
		t.Error(err)
	}
}
