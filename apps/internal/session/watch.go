package session

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/output"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/report"
)

// Watch shows how r goes on, as its options say, until the planned time is over, ctx ends, or
// an error comes from one of the channels: that of ports or that of pollers, of which
// either may be nil. It returns that error. The planned time is that of the options, and
// begins when Watch is called, when packets can flow.
func Watch(ctx context.Context, r *report.Report, o command.Options, stdout, stderr io.Writer,
	ports, pollers <-chan error) error {
	var shown sync.WaitGroup
	defer shown.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var over <-chan time.Time // never, if no time is planned
	if o.Duration > 0 {
		over = time.After(o.Duration)
	}
	shown.Go(func() { show(ctx, r, o, stdout, stderr) })
	select {
	case <-ctx.Done():
		return nil
	case <-over:
		return nil
	case err := <-ports:
		return err
	case err := <-pollers:
		return err
	}
}

// show shows r every period until ctx ends: as screens on standard output, or with --json
// on standard error, or as lines of JSON if a period was given for them.
func show(ctx context.Context, r *report.Report, o command.Options, stdout, stderr io.Writer) {
	switch {
	case o.StatsPeriod == 0:
	case o.JSONLines:
		r.Lines(ctx, o.StatsPeriod, stdout)
	case o.Quiet:
	case o.JSON:
		report.NewScreen(r, stderr).Run(ctx, o.StatsPeriod)
	default:
		report.NewScreen(r, stdout).Run(ctx, o.StatsPeriod)
	}
}

// Print prints the outcome of r for packets that flowed for elapsed. It is the result of
// the command, for which its end waits.
func Print(r *report.Report, elapsed time.Duration, o command.Options, stdout, stderr io.Writer) error {
	return r.Print(elapsed, o.JSON, output.Result(stdout), Notes(o, stderr))
}

// Notes returns where what is no result, warning or error goes: to standard error, or
// nowhere.
func Notes(o command.Options, stderr io.Writer) io.Writer {
	if o.Quiet {
		return io.Discard
	}
	return stderr
}
