package session

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/report"
)

// Watch shows the screens of r every period, if that is not 0, until the planned
// time is over, ctx ends, or an error comes from one of the channels: that of
// ports or that of pollers, of which either may be nil. It returns that error.
// The planned time begins when Watch is called, when packets can flow.
func Watch(ctx context.Context, r *report.Report, period time.Duration, screens io.Writer,
	ports, pollers <-chan error) error {
	var shown sync.WaitGroup
	defer shown.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var over <-chan time.Time // never, if no time is planned
	if r.Planned > 0 {
		over = time.After(r.Planned)
	}
	if period > 0 {
		shown.Go(func() { report.NewScreen(r, screens).Run(ctx, period) })
	}
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
