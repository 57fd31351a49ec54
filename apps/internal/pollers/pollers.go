// Package pollers runs the polling functions of a command on CPUs of their own,
// shows how busy they are, and notices when one ends that should not.
package pollers

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/report"
	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
)

// Group is the polling goroutines of a command.
type Group struct {
	cores  []*lcore.Core
	failed chan error
}

// Count is how many pollers a list of CPUs makes: one each, and one that runs
// anywhere if there are none.
func Count(cpus []int) int { return max(len(cpus), 1) }

// Start has each function polled by a goroutine of its own, polls[i] on cpus[i];
// without CPUs they run anywhere. When one cannot be started, those that were
// are stopped again: an *lcore.CPUError.
func Start(cpus []int, polls []func() bool) (*Group, error) {
	g := &Group{failed: make(chan error, len(polls))}
	for i, poll := range polls {
		cpu := lcore.AnyCPU
		if len(cpus) > 0 {
			cpu = cpus[i]
		}
		core, err := lcore.Start(cpu, poll)
		if err != nil {
			g.Stop()
			return nil, fmt.Errorf("--cpus: %w", err)
		}
		g.cores = append(g.cores, core)
		go func() { <-core.Done(); g.failed <- core.Err() }()
	}
	return g, nil
}

// Stop ends the polling and returns when nobody polls any more. It may be
// called more than once, and of no group at all.
func (g *Group) Stop() {
	if g == nil {
		return
	}
	for _, core := range g.cores {
		_ = core.Stop() // why one ended early is what Watch returned
	}
}

// Watch shows the screens of session every period, if that is not 0, until the
// planned time is over, ctx ends, a port fails or a poller does. It returns what
// failed, nil if nothing did. The time begins now, when packets can flow.
func (g *Group) Watch(ctx context.Context, session *report.Session, period time.Duration, ports <-chan error, screens io.Writer) error {
	var shown sync.WaitGroup
	defer shown.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var over <-chan time.Time // never, if no time is planned
	if session.Planned > 0 {
		over = time.After(session.Planned)
	}
	if period > 0 {
		shown.Go(func() { report.NewScreen(session, screens).Run(ctx, period) })
	}
	select {
	case <-ctx.Done():
		return nil
	case <-over:
		return nil
	case err := <-ports:
		return err
	case err := <-g.failed:
		return err
	}
}

// Load returns a function that says how busy the pollers were since its last
// call. It belongs to one goroutine.
func (g *Group) Load() func() string {
	type polls struct{ busy, idle uint64 }
	last := make([]polls, len(g.cores))
	return func() string {
		var words []string
		for i, core := range g.cores {
			busy, idle := core.Polls()
			gained := polls{busy - last[i].busy, idle - last[i].idle}
			last[i] = polls{busy, idle}
			name := "poller"
			if core.CPU() != lcore.AnyCPU {
				name = fmt.Sprintf("CPU %d", core.CPU())
			}
			words = append(words, fmt.Sprintf("%s %s busy", name, report.Share(gained.busy, gained.busy+gained.idle)))
		}
		return strings.Join(words, "  ")
	}
}
