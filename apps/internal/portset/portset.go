// Package portset opens the ports of a command line over one pool of packet
// buffers, watches them, and closes them again.
package portset

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/await"
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// Config says which ports to open and how.
type Config struct {
	Specs    []devargs.Spec
	Burst    int  // packets a burst
	Pollers  int  // goroutines that poll, each with a cache of buffers
	PoolSize int  // buffers, 0 for as many as the ports need
	NoHuge   bool // ordinary pages for every port
	Frame    int  // bytes of a frame that a buffer has room for at least
	// PollDevices leaves polling the emulated devices to the caller: see
	// [Set.EmuPolls].
	PollDevices bool
	Logger      *slog.Logger
	// Limit bounds the wait of each port that listens for its first back end; 0: no more
	// than its own key does.
	Limit time.Duration
	// Cables joins emulated ports of one name; nil joins those of this set.
	Cables *devargs.Cables
	// Open opens one port; nil means [devargs.Spec.Open].
	Open func(devargs.Spec, devargs.Options) (*driver.Port, error)
	// Waiting, if not nil, is called with a line for the user when something takes long:
	// which port waits, and what for.
	Waiting func(what string)

	// Spare is how many ports there may be more than Specs, with [Set.Add].
	Spare int
	// Least has a PoolSize that is too small for the rings raised, and not refused.
	Least bool

	root string // where sys is: tests have their own
}

// Set is ports that share a pool. Its methods belong to one goroutine.
type Set struct {
	Ports []*driver.Port
	Pool  *mbuf.Pool
	// Caches are those of the pollers, one each.
	Caches []*mbuf.Cache
	// EmuPolls[i] has the emulated device behind port i process its queues once; nil
	// if the device has a goroutine of its own or is not emulated. The pollers that
	// use the port call it again and again.
	EmuPolls []func() int
	left     bool // a port is still being opened, over the pool
	config   Config
	options  devargs.Options // of every port
}

// Parse reads the texts of ports. A failure is a [*devargs.Error].
func Parse(texts []string) ([]devargs.Spec, error) {
	specs := make([]devargs.Spec, len(texts))
	for i, text := range texts {
		var err error
		if specs[i], err = devargs.Parse(text); err != nil {
			return nil, err
		}
	}
	return specs, nil
}

// Open opens all ports or none. It ends with ctx, with an [*await.InterruptedError]. What does
// not end by itself then is left behind, with the memory that it uses, for the end of the
// program.
func Open(ctx context.Context, c Config) (*Set, error) {
	if c.root == "" {
		c.root = "/"
	}
	for i, spec := range c.Specs {
		if servedBy(spec, c.Specs[:i]) {
			continue
		}
		if err := spec.Check(c.root); err != nil { // before hugepages are asked for
			return nil, named(spec, c.addUse(spec, err))
		}
	}
	count, err := c.buffers()
	if err != nil {
		return nil, err
	}
	s := &Set{EmuPolls: make([]func() int, len(c.Specs)), config: c}
	memory, err := c.newPool(ctx, s, count)
	if err != nil {
		return nil, fmt.Errorf("packet buffers: %w%s", err, c.hint(err))
	}
	o := devargs.Options{Logger: c.Logger, Pool: s.Pool, Memory: memory, Cables: c.Cables}
	if o.Cables == nil {
		o.Cables = new(devargs.Cables)
	}
	s.options = o
	for i, spec := range c.Specs {
		if c.PollDevices {
			o.EmuPoll = &s.EmuPolls[i]
		}
		port, err := c.openPort(ctx, spec, o)
		if s.left = await.Left(err); err != nil {
			return nil, errors.Join(named(spec, tooSmall(err)), s.Close())
		}
		s.Ports = append(s.Ports, port)
	}
	for range c.Pollers {
		s.Caches = append(s.Caches, s.Pool.NewCache(cacheSize))
	}
	return s, nil
}

// openPort opens a port, for as long as that may take.
func (c *Config) openPort(ctx context.Context, spec devargs.Spec, o devargs.Options) (*driver.Port, error) {
	wait, cancel := ctx, func() {}
	if spec.Kind == devargs.VhostUser && spec.Server && c.Limit > 0 {
		wait, cancel = context.WithTimeout(ctx, c.Limit)
	}
	defer cancel()
	open := func() (*driver.Port, error) {
		if c.Open != nil {
			return c.Open(spec, o)
		}
		return spec.Open(wait, o)
	}
	port, err := await.Do(wait, c.step(spec), open, func(p *driver.Port) { _ = p.Close() })
	if err != nil && wait.Err() != nil && ctx.Err() == nil {
		err = &LimitError{Socket: spec.Socket, Limit: c.Limit, Err: err}
	}
	return port, err
}

// servedBy reports whether one of the ports that are opened before makes the socket that
// a port connects to.
func servedBy(spec devargs.Spec, before []devargs.Spec) bool {
	return slices.ContainsFunc(before, func(s devargs.Spec) bool {
		return spec.Kind == devargs.VhostUser && !spec.Server &&
			s.Kind == devargs.Emu && s.Backend == "vhost" && !s.Client && s.Arg == spec.Socket
	})
}

// step returns what the opening of a port waits for.
func (c *Config) step(spec devargs.Spec) await.Step {
	s := await.Step{For: "its device to answer"}
	switch {
	case spec.Kind == devargs.VhostUser && spec.Server:
		s.For = "a back end to connect to " + spec.Socket
	case spec.Kind == devargs.VhostUser:
		s.For = "the back end at " + spec.Socket + " to answer"
	}
	if c.Waiting != nil {
		s.Tell = func(what string) { c.Waiting("port " + spec.Text + ": waiting for " + what) }
	}
	return s
}

// Failed returns a channel that receives the first port failure: the device
// was removed, or did not recover.
func (s *Set) Failed() <-chan error {
	failed := make(chan error, len(s.Ports))
	for i, port := range s.Ports {
		if port == nil {
			continue
		}
		spec := s.config.Specs[i]
		go func() {
			<-port.Done()
			failed <- named(spec, port.Err())
		}()
	}
	return failed
}

// Close closes the ports, then the pollers' caches, into which the ports free their
// buffers, and releases the pool. The pollers must have stopped and every buffer
// must be freed or sent; a missing one is a [*mbuf.BusyError].
func (s *Set) Close() error {
	var errs []error
	for i := range s.Ports {
		if err := s.Remove(i); err != nil {
			errs = append(errs, err)
		}
	}
	for _, c := range s.Caches {
		c.Close()
	}
	if errs == nil && !s.left {
		// A port that could not be closed, or is still being opened, may use the memory.
		errs = append(errs, s.Pool.Release())
	}
	return errors.Join(errs...)
}
