// Package command is what the commands that move packets share: their common
// options and help, how they write and report that something went wrong, and when they
// end.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/output"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/usage"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/version"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
)

// MaxBurst is the largest burst that --burst accepts, as in testpmd.
const MaxBurst = 512

// MaxPorts is how many ports a command takes: their numbers fit the last byte of
// the destination address 02:00:00:00:00:PP.
const MaxPorts = 256

// Options are the values of the common options.
type Options struct {
	Duration    time.Duration // how long packets flow, 0 until a signal
	StatsPeriod time.Duration // between two screens, 0 for none
	JSON        bool          // one object on standard output at the end
	JSONLines   bool          // ... and one every StatsPeriod, instead of screens
	Quiet       bool          // nothing but the outcome, warnings and errors
	CPUs        []int         // where to poll, none for anywhere
	Burst       int           // packets a burst, 1 to MaxBurst
	PoolSize    int           // packet buffers, 0 for as many as the ports need
	NoHuge      bool          // ordinary pages
	Info        bool          // say what the ports are: see InfoFlags
	XStats      bool          // extended statistics in the outcome
	Logger      *slog.Logger
}

// New makes a command with the common options and its own, which takes ports.
// action gets the common options checked.
func New(name, purpose string, own []cli.Flag, action func(*cli.Context, Options) error) *cli.App {
	app := NewBare(name, purpose, append(flags(), own...), func(c *cli.Context) error {
		o, err := read(c)
		if err != nil {
			return err
		}
		return action(c, o)
	})
	app.UsageText = name + " [options] PORT..."
	app.Description = portHelp(name)
	AddTopic(app, "ports", devargs.Grammar)
	return app
}

// NewBare makes a command that has no other options than flags.
func NewBare(name, purpose string, flags []cli.Flag, action cli.ActionFunc) *cli.App {
	return &cli.App{
		Name:            name,
		Usage:           purpose,
		Version:         version.String(),
		HideHelpCommand: true,
		Flags:           flags,
		Action: func(c *cli.Context) error {
			if c.Args().First() == "help" {
				return help(c)
			}
			return action(c)
		},
		// Run reports what went wrong, once and on standard error.
		OnUsageError: func(_ *cli.Context, err error, _ bool) error {
			return &UsageError{Reason: usage.Explain(err)}
		},
		ExitErrHandler: func(*cli.Context, error) {},
	}
}

// endWithin is for how long the end waits for a reader to take what is left: the result,
// then the last messages.
const (
	endWithin      = 500 * time.Millisecond
	messagesWithin = 150 * time.Millisecond
)

// Run runs the command with its arguments and returns its exit status: 0 if all
// went well, 1 if not, 2 if the command line cannot be used.
//
// The command writes through [output.Stream], so that it waits for no reader. If the
// result is not read at the end, that is an error.
func Run(app *cli.App, args []string, stdout, stderr io.Writer) int {
	// A reader that ends does not end the command.
	signal.Ignore(syscall.SIGPIPE)
	out, messages := output.Open(app.Name, stdout, stderr)
	app.Writer, app.ErrWriter = out, messages
	usage.Page(app, topics(app), usage.Width(stdout))
	options, rest, err := usage.Split(args[1:], app.Flags)
	if err == nil {
		err = app.Run(slices.Concat(args[:1], options, []string{"--"}, rest))
	} else {
		err = &UsageError{Reason: err.Error()}
	}
	end := time.Now().Add(endWithin)
	err = errors.Join(err, out.Flush(end))
	if err != nil {
		text := strings.ReplaceAll(err.Error(), "\n", "\n"+app.Name+": ")
		fmt.Fprintf(output.Result(messages), "%s: %s\n", app.Name, text)
	}
	_ = messages.Close(latest(end, time.Now().Add(messagesWithin))) // there is nowhere to report it
	_ = out.Close(time.Now())                                       // it was flushed
	var line *UsageError
	var port *devargs.Error
	var status *StatusError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return status.Status
	case errors.As(err, &line), errors.As(err, &port):
		return 2
	}
	return 1
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// twice is within what time of the first signal another is the same one: timeout(1) sends its
// signal to the process and to its group.
const twice = 200 * time.Millisecond

// Until returns a context that ends after d, unless d is 0, and on SIGINT, SIGTERM and
// SIGHUP, of which nohup takes the last away. A second signal then ends the process at
// once.
func Until(d time.Duration) (context.Context, context.CancelFunc) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	context.AfterFunc(ctx, func() { time.AfterFunc(twice, stop) })
	if d == 0 {
		return ctx, stop
	}
	timed, cancel := context.WithTimeout(ctx, d)
	return timed, func() { cancel(); stop() }
}

// CheckPorts returns a [*UsageError] unless a command can have n ports.
func CheckPorts(n int) error {
	if n < 1 || n > MaxPorts {
		return &UsageError{Reason: fmt.Sprintf("%d ports: give 1 to %d, like emu:gen emu:null", n, MaxPorts)}
	}
	return nil
}

// StatusError is an outcome that has an exit status of its own.
type StatusError struct {
	Status int
	Reason string
}

func (e *StatusError) Error() string { return e.Reason }

// UsageError reports a command line that cannot be used. Nothing was opened or
// changed.
type UsageError struct {
	Option string // "" if the line as a whole is wrong, or a file that it names
	Value  string
	Reason string
	Remedy string
	Err    error // cause, or nil; with no Option and no Reason, it says all
}

// Unwrap returns the cause.
func (e *UsageError) Unwrap() error { return e.Err }

func (e *UsageError) Error() string {
	if e.Option == "" && e.Reason == "" {
		return e.Err.Error()
	}
	if e.Option == "" {
		text := e.Reason + "; --help lists the options"
		return strings.Replace(text, "?;", "?", 1)
	}
	return fmt.Sprintf("--%s %s: %s; %s", e.Option, e.Value, e.Reason, e.Remedy)
}
