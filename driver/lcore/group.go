package lcore

import (
	"log/slog"
	"runtime"
	"sync/atomic"
)

// Group starts the cores of a program, and warns when they leave no processor to the
// rest of it. The zero value is ready to use and must not be copied afterwards. Its
// methods may be called from any goroutine.
type Group struct {
	// Logger receives the warnings; nil discards them. It is not changed after the first
	// Start.
	Logger *slog.Logger

	running                 atomic.Int32
	warnedProcs, warnedCPUs atomic.Bool
}

// Start is the function [Start] for a core of the group. It logs a warning, once, if the
// cores of the group that are running are as many as GOMAXPROCS or more: then what else
// the program does, as the recovery of a port, waits for 10 ms again and again. It logs
// another, once, if they are as many as the CPUs that the process may use.
func (g *Group) Start(
	cpu int, poll func() (busy bool), abandon ...func(cause error) bool,
) (*Core, error) {
	return g.launch(g.newCore(cpu, poll, abandon))
}

func (g *Group) newCore(cpu int, poll func() bool, abandon []func(error) bool) *Core {
	return &Core{cpu: cpu, poll: poll, abandon: abandon, done: make(chan struct{}), group: g}
}

// launch starts a core of the group.
func (g *Group) launch(c *Core) (*Core, error) {
	bound := make(chan error, 1)
	running := int(g.running.Add(1))
	go c.run(bound)
	if err := <-bound; err != nil {
		return nil, err
	}
	if g.Logger != nil {
		g.warn(running, c.usable)
	}
	return c, nil
}

// warn warns that n cores leave no processor to the rest.
func (g *Group) warn(n int, usable []int) {
	if procs := runtime.GOMAXPROCS(0); n >= procs && !g.warnedProcs.Swap(true) {
		g.Logger.Warn("cores that poll take all of GOMAXPROCS: everything else in this program, as "+
			"the recovery of a port, waits for 10 ms at a time; raise GOMAXPROCS",
			"cores", n, "GOMAXPROCS", procs, "enough", n+1)
	}
	if n >= len(usable) && !g.warnedCPUs.Swap(true) {
		g.Logger.Warn("cores that poll take all CPUs that this process may use: they pause whenever "+
			"anything else runs; start fewer cores, or give the process more CPUs",
			"cores", n, "CPUs", usable)
	}
}
