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

// TestBadOptions: each is refused with status 2, and the message names the
// value; nothing is written to standard output, which is for the JSON object.
func TestBadOptions(t *testing.T) {
	for _, args := range [][]string{
		{"--duration", "-1s"}, {"--duration", "ten"}, {"--stats-period", "-5ms"}, {"--burst", "0"}, {"--burst", "513"},
		{"--pool-size", "-1"}, {"--cpus", "x"}, {"--cpus", "0,0"}, {"--log-level", "loud"}, {"--nonsense", "--nonsense"},
		{"port", "--json"},
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
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		ctx, stop := Until(0)
		if err := syscall.Kill(os.Getpid(), sig); err != nil {
			t.Fatal(err)
		}
		<-ctx.Done()
		stop()
	}
}
