package command

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
)

func run(args ...string) (Options, int, string, string) {
	var got Options
	app := New("app", "usage", nil, func(_ *cli.Context, o Options) error { got = o; return nil })
	var stdout, stderr bytes.Buffer
	status := Run(app, append([]string{"app"}, args...), &stdout, &stderr)
	return got, status, stdout.String(), stderr.String()
}

func TestOptions(t *testing.T) {
	got, status, stdout, stderr := run("--duration", "2m", "--stats-period=0", "--json", "--cpus", "1,0", "--burst", "8",
		"--pool-size", "1000", "--no-huge", "--log-level", "debug", "a", "b")
	if status != 0 || stdout != "" || stderr != "" {
		t.Fatalf("status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
	if !got.Logger.Enabled(t.Context(), slog.LevelDebug) {
		t.Error("--log-level debug does not log debug messages")
	}
	got.Logger = nil
	want := Options{Duration: 2 * time.Minute, JSON: true, CPUs: []int{1, 0}, Burst: 8, PoolSize: 1000, NoHuge: true}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestTimes: a number alone is in seconds, letters may be large.
func TestTimes(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"10": 10 * time.Second, "0": 0, "0.5": 500 * time.Millisecond, ".25": 250 * time.Millisecond,
		"10s": 10 * time.Second, "1M30S": 90 * time.Second, "500ms": 500 * time.Millisecond, "2h": 2 * time.Hour,
	} {
		got, status, _, stderr := run("--duration", text, "--stats-period", text)
		if status != 0 || got.Duration != want || got.StatsPeriod != want {
			t.Errorf("%s: %v and %v, want %v; %s", text, got.Duration, got.StatsPeriod, want, stderr)
		}
	}
	for _, text := range []string{"", "ten", "10 s", "s", "1e3", "NaN", "99999999999999999999", "-", "0x10"} {
		if _, status, _, stderr := run("--duration", text); status != 2 || !strings.Contains(stderr, "write it like 10, ") {
			t.Errorf("%q: status %d, %s", text, status, stderr)
		}
	}
}

// TestJSONLines: a period that was given with --json is that of objects.
func TestJSONLines(t *testing.T) {
	for args, want := range map[string]bool{
		"--json": false, "--stats-period 1": false, "--json --stats-period 1": true, "--json --stats-period 0": false,
	} {
		if got, _, _, _ := run(strings.Fields(args)...); got.JSONLines != want {
			t.Errorf("%s: %t", args, got.JSONLines)
		}
	}
}

// TestOptionsAnywhere: options and ports may stand in any order, and behind "--" there
// are only ports.
func TestOptionsAnywhere(t *testing.T) {
	for _, line := range []string{
		"--json --burst 8 a b", "a b --json --burst 8", "a --burst=8 b --json", "a --json b -burst 8", "--json a --burst 8 -- b",
	} {
		var got []string
		app := New("app", "usage", nil, func(c *cli.Context, o Options) error {
			got = c.Args().Slice()
			if !o.JSON || o.Burst != 8 {
				t.Errorf("%s: %+v", line, o)
			}
			return nil
		})
		var stderr bytes.Buffer
		status := Run(app, append([]string{"app"}, strings.Fields(line)...), new(bytes.Buffer), &stderr)
		if status != 0 || !reflect.DeepEqual(got, []string{"a", "b"}) {
			t.Errorf("%s: status %d, ports %q, %s", line, status, got, stderr.String())
		}
	}
	app := New("app", "usage", nil, func(c *cli.Context, o Options) error {
		if c.Args().Get(0) != "a" || c.Args().Get(1) != "--json" || c.NArg() != 2 || o.JSON {
			t.Errorf("%q, %+v", c.Args().Slice(), o)
		}
		return nil
	})
	if status := Run(app, []string{"app", "a", "--", "--json"}, new(bytes.Buffer), new(bytes.Buffer)); status != 0 {
		t.Errorf("status %d", status)
	}
}

// TestUsageStatus: whatever makes a command line unusable, the status is 2.
func TestUsageStatus(t *testing.T) {
	_, port := devargs.Parse("eth0")
	for _, err := range []error{
		port, &UsageError{Reason: "r"}, errors.Join(errors.New("one"), &UsageError{Reason: "r"}),
	} {
		app := New("app", "usage", nil, func(*cli.Context, Options) error { return err })
		if status := Run(app, []string{"app"}, new(bytes.Buffer), new(bytes.Buffer)); status != 2 {
			t.Errorf("%v: status %d", err, status)
		}
	}
}

// TestBadOptions: each is refused with status 2, and the message names the
// value; nothing is written to standard output, which is for the JSON object.
func TestBadOptions(t *testing.T) {
	for _, args := range [][]string{
		{"--duration", "-1s"}, {"--duration", "ten"}, {"--stats-period", "-5ms"}, {"--burst", "0"}, {"--burst", "513"},
		{"a", "--burst", "0"}, {"a", "--duration"}, {"help", "help"},
		{"--pool-size", "-1"}, {"--cpus", "x"}, {"--cpus", "0,0"}, {"--log-level", "loud"}, {"--nonsense", "--nonsense"},
	} {
		_, status, stdout, stderr := run(args...)
		value := strings.TrimLeft(args[1], "-")
		if status != 2 || stdout != "" || !strings.HasPrefix(stderr, "app: ") || !strings.Contains(stderr, value) {
			t.Errorf("%v: status %d, stdout %q, stderr %q", args, status, stdout, stderr)
		}
	}
}

func TestActionFails(t *testing.T) {
	app := New("app", "usage", nil, func(*cli.Context, Options) error { return errors.Join(errors.New("one"), errors.New("two")) })
	var stdout, stderr bytes.Buffer
	if status := Run(app, []string{"app"}, &stdout, &stderr); status != 1 {
		t.Errorf("status %d, want 1", status)
	}
	if want := "app: one\napp: two\n"; stderr.String() != want || stdout.Len() != 0 {
		t.Errorf("stderr %q, want %q; stdout %q", stderr.String(), want, stdout.String())
	}
}

func TestUntil(t *testing.T) {
	ctx, stop := Until(time.Millisecond)
	defer stop()
	<-ctx.Done()
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		t.Errorf("ended by %v, want the deadline", ctx.Err())
	}
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		ctx, stop := Until(0)
		if err := syscall.Kill(os.Getpid(), sig); err != nil {
			t.Fatal(err)
		}
		<-ctx.Done()
		stop()
	}
}
