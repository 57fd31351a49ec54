// Package pollers runs the polling functions of a command on CPUs of their own,
// says how busy they are, and reports when one fails.
package pollers

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/report"
	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
)

// Group is the polling goroutines of a command. Its methods belong to one
// goroutine.
type Group struct {
	group  lcore.Group
	cores  []*lcore.Core
	failed chan error

	adaptive bool // pollers sleep when there is nothing to do
}

// spareProcs is how many goroutines are to run beside the pollers without waiting for
// one of them: what watches and recovers the ports, and what reports.
const spareProcs = 2

// Poller is what one goroutine polls. Abandon, if it is not nil, is called with a memory
// fault and reports whether polling goes on: see [lcore.Start]. With a Sleep that has a Wait
// it sleeps when there is nothing to do.
type Poller struct {
	Poll    func() (busy bool)
	Abandon func(cause error) bool
	Sleep   lcore.Sleep
}

// Count returns how many pollers a list of CPUs asks for: one on each, or one that
// runs anywhere if the list is empty.
func Count(cpus []int) int { return max(len(cpus), 1) }

// Check returns a [*command.UsageError] if one of the CPUs cannot poll: it does not exist,
// or this process may not use it.
func Check(cpus []int) error {
	for _, cpu := range cpus {
		core, err := lcore.Start(cpu, func() bool { return false })
		if err != nil {
			return usage(cpu, err)
		}
		if err := core.Stop(); err != nil {
			return err
		}
	}
	return nil
}

// usage makes the error of a core one of the command line.
func usage(cpu int, err error) error {
	e := &command.UsageError{Option: "cpus", Value: strconv.Itoa(cpu), Reason: err.Error(), Err: err}
	var bad *lcore.Error
	if errors.As(err, &bad) {
		e.Reason, e.Remedy = bad.Reason, bad.Remedy
	}
	return e
}

// Start starts a goroutine for each poller, which polls pollers[i] on cpus[i], or
// without CPUs anywhere. If one cannot be started, with an [*lcore.Error], those
// before it are stopped again.
//
// It raises GOMAXPROCS, if need be, so that the rest of the command runs beside them. If
// they take all CPUs there are, log receives a warning.
func Start(cpus []int, pollers []Poller, log *slog.Logger) (*Group, error) {
	g := &Group{failed: make(chan error, len(pollers)), group: lcore.Group{Logger: log}}
	if enough := len(pollers) + spareProcs; runtime.GOMAXPROCS(0) < enough {
		runtime.GOMAXPROCS(enough)
	}
	for i, p := range pollers {
		cpu := lcore.AnyCPU
		if len(cpus) > 0 {
			cpu = cpus[i]
		}
		var abandon []func(error) bool
		if p.Abandon != nil {
			abandon = append(abandon, p.Abandon)
		}
		var core *lcore.Core
		var err error
		if p.Sleep.Wait != nil {
			core, err = g.group.StartAdaptive(cpu, p.Poll, p.Sleep, abandon...)
			g.adaptive = true
		} else {
			core, err = g.group.Start(cpu, p.Poll, abandon...)
		}
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

// Polls returns how many polls of all pollers found work, and how many did not.
func (g *Group) Polls() (busy, idle uint64) {
	for _, core := range g.cores {
		b, i := core.Polls()
		busy, idle = busy+b, idle+i
	}
	return busy, idle
}

// Asleep returns a function that says how long all pollers have slept together, nil if they
// do not sleep.
func (g *Group) Asleep() func() time.Duration {
	if !g.adaptive {
		return nil
	}
	return func() time.Duration {
		var sum time.Duration
		for _, core := range g.cores {
			_, asleep := core.Asleep()
			sum += asleep
		}
		return sum
	}
}

// Load returns a function that says how busy the pollers were since its last call: the
// share of the time that they were in polls that found something, and if they sleep, that
// they were asleep. The function belongs to one goroutine.
func (g *Group) Load() func() string {
	type times struct{ busy, total, asleep time.Duration }
	last := make([]times, len(g.cores))
	return func() string {
		var words []string
		for i, core := range g.cores {
			busy, total := core.Times()
			gained := times{total: total - last[i].total}
			gained.busy = min(max(busy-last[i].busy, 0), gained.total) // a streak is counted late
			_, asleep := core.Asleep()
			gained.asleep = min(asleep-last[i].asleep, gained.total) // a sleep is counted at its end
			last[i] = times{busy, total, asleep}
			name := "poller"
			if core.CPU() != lcore.AnyCPU {
				name = fmt.Sprintf("CPU %d", core.CPU())
			}
			share := report.Share(uint64(gained.busy), uint64(gained.total))
			text := fmt.Sprintf("%s %s busy", name, share)
			if g.adaptive {
				text += fmt.Sprintf(", %s asleep", report.Share(uint64(gained.asleep), uint64(gained.total)))
			}
			words = append(words, text)
		}
		return strings.Join(words, "  ")
	}
}
