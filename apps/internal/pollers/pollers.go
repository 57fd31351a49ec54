// Package pollers runs the polling functions of a command on CPUs of their own,
// says how busy they are, and reports when one fails.
package pollers

import (
	"fmt"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/report"
	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
)

// Group is the polling goroutines of a command. Its methods belong to one
// goroutine.
type Group struct {
	cores  []*lcore.Core
	failed chan error
}

// Count returns how many pollers a list of CPUs asks for: one on each, or one that
// runs anywhere if the list is empty.
func Count(cpus []int) int { return max(len(cpus), 1) }

// Start starts a goroutine for each function, which polls polls[i] on cpus[i], or
// without CPUs anywhere. If one cannot be started, with an [*lcore.Error], those
// before it are stopped again.
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

// Stop ends the polling and returns after the last poll. It may be called more
// than once.
func (g *Group) Stop() {
	for _, core := range g.cores {
		_ = core.Stop() // Failed delivers why one ended early
	}
}

// Failed returns the channel that receives the errors of pollers that ended by
// themselves.
func (g *Group) Failed() <-chan error { return g.failed }

// Load returns a function that says how busy the pollers were since its last
// call. The function belongs to one goroutine.
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
			share := report.Share(gained.busy, gained.busy+gained.idle)
			words = append(words, fmt.Sprintf("%s %s busy", name, share))
		}
		return strings.Join(words, "  ")
	}
}
