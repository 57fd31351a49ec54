// Package portset opens the ports of a command line over one pool of packet
// buffers, watches them, and closes them again.
package portset

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/await"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/inuse"
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
	"github.com/virtio-pmd/virtio-pmd/pci/sysfs"
	"github.com/virtio-pmd/virtio-pmd/vfio"
)

// cacheSize is how many buffers the cache of a poller holds, as in DPDK's examples.
const cacheSize = 256

// l2Header is what the MTU leaves out: an Ethernet header with a VLAN tag.
const l2Header = 18

// Headers is what a frame has beside the payload that its MTU counts, with the checksum and
// without a VLAN tag, as DPDK counts it.
const Headers = 18

// minPool is the least number of buffers, as in DPDK's l2fwd.
const minPool = 8192

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
	names    []string
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
			return nil, fmt.Errorf("port %s: %w", spec.Text, c.addUse(spec, err))
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
		s.Ports, s.names = append(s.Ports, port), append(s.names, spec.Text)
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

// LimitError is a port that listens and to which no back end connected in time.
type LimitError struct {
	Socket string
	Limit  time.Duration
	Err    error
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("no back end connected to %s within the %v of --duration; "+
		"start it before that, or leave the option out", e.Socket, e.Limit)
}

// Unwrap returns the cause.
func (e *LimitError) Unwrap() error { return e.Err }

// addUse adds to the advice to bind a function what binding it would end.
func (c *Config) addUse(spec devargs.Spec, err error) error {
	var unbound *vfio.NotBoundError
	if !errors.As(err, &unbound) {
		return err
	}
	fs := sysfs.FS{Root: c.root}
	if info, err := fs.Function(spec.Address); err == nil {
		unbound.InUse = inuse.Texts(inuse.New(fs, os.Getenv).Reasons(info))
	}
	return err
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

// newPool makes the pool of s and returns what memory the ports are to use.
func (c *Config) newPool(ctx context.Context, s *Set, count int) (hugepages.Options, error) {
	type outcome struct {
		pool   *mbuf.Pool
		memory hugepages.Options
	}
	step := await.Step{For: fmt.Sprintf("memory of %d packet buffers", count), Tell: c.Waiting}
	made, err := await.Do(ctx, step, func() (o outcome, err error) {
		o.pool, o.memory, err = c.pool(count)
		return o, err
	}, func(o outcome) { _ = o.pool.Release() })
	s.Pool = made.pool
	return made.memory, err
}

// pool makes the pool and returns what memory the ports are to use: that near the
// devices, or if there is none, memory of any node, which is only slower.
func (c *Config) pool(count int) (*mbuf.Pool, hugepages.Options, error) {
	cfg := mbuf.Config{Count: count, DataRoom: c.dataRoom(), Memory: c.memory()}
	pool, err := mbuf.NewPool(cfg)
	if err != nil && cfg.Memory.Node != nil {
		if c.Logger != nil {
			c.Logger.Warn("no memory near the devices: it is taken from any NUMA node, which is slower",
				"node", *cfg.Memory.Node, "err", err)
		}
		cfg.Memory.Node = nil
		pool, err = mbuf.NewPool(cfg)
	}
	return pool, cfg.Memory, err
}

// memory returns what pages to take: hugepages, unless the command line says
// otherwise or all ports are emulated, on the NUMA node of the devices.
func (c *Config) memory() hugepages.Options {
	o := hugepages.Options{SmallPages: true, Node: c.node()}
	for _, spec := range c.Specs {
		o.SmallPages = o.SmallPages && spec.Kind == devargs.Emu
	}
	if c.NoHuge {
		o.SmallPages, o.PageSize = false, os.Getpagesize()
	}
	return o
}

// node returns the NUMA node of the PCI ports, nil if they are on several or if the
// machine does not say. There is one pool for all, so that with several nodes
// some port's memory is far away wherever it is.
func (c *Config) node() *int {
	var one *int
	for _, spec := range c.Specs {
		if spec.Kind != devargs.PCI {
			continue
		}
		node := spec.Node(c.root)
		if node < 0 || one != nil && *one != node {
			return nil
		}
		one = &node
	}
	return one
}

// dataRoom returns the data room of a buffer: 0, which is the default, unless Frame or a port
// may not spread the frames of its MTU over several buffers.
func (c *Config) dataRoom() int {
	room := 0
	if c.Frame > mbuf.DefaultDataRoom {
		room = c.Frame
	}
	for _, spec := range c.Specs {
		if frame := spec.MTU + l2Header; spec.Refuse.Has(virtio.NetMrgRxbuf) && frame > mbuf.DefaultDataRoom {
			room = max(room, frame)
		}
	}
	return room
}

// buffers returns the size of the pool: enough for every ring to be full, for one
// burst a queue and for the caches, counted as DPDK's l2fwd does. Transmit queues may keep
// two thirds of what is not in receive rings.
func (c *Config) buffers() (int, error) {
	least, good := 0, len(c.Specs)*c.Pollers*cacheSize
	for _, spec := range append(slices.Clone(c.Specs), c.spare()...) {
		queues := max(spec.Queues, 1)
		least += queues * (spec.RxRing() + driver.MinSpare)
		good += queues * (spec.RxRing() + max(spec.TxRing()*3/2+c.Burst, driver.MinSpare))
	}
	switch {
	case c.PoolSize == 0:
		return max(good, minPool), nil
	case c.PoolSize < least && c.Least:
		return least, nil
	case c.PoolSize < least:
		return 0, &poolSizeError{size: c.PoolSize, need: least}
	}
	return c.PoolSize, nil
}

// poolSizeError reports a pool with which a receive queue could be without buffers for
// good: see [driver.Config].Pool.
type poolSizeError struct{ size, need int }

func (e *poolSizeError) Error() string { return e.Unwrap().Error() }

// Unwrap returns the error as one of the command line.
func (e *poolSizeError) Unwrap() error {
	return &command.UsageError{Option: "pool-size", Value: strconv.Itoa(e.size),
		Reason: fmt.Sprintf("the receive rings of all ports and %d buffers for each transmit queue take %d",
			driver.MinSpare, e.need),
		Remedy: "ask for as many, or for smaller rings with rx_queue_size"}
}

// named adds the port to an error, unless the error names it.
func named(spec devargs.Spec, err error) error {
	var text *devargs.Error
	if errors.As(err, &text) {
		return err
	}
	return fmt.Errorf("port %s: %w", spec.Text, err)
}

// tooSmall adds a remedy to the error about a device whose frames do not fit the
// buffers. The MTU of the device is known only after the pool was made, so that the
// command line has to give it.
func tooSmall(err error) error {
	var pool *driver.PoolError
	if !errors.As(err, &pool) {
		return err
	}
	return fmt.Errorf("%w; on a command line give the port mtu=%d,mrg_rxbuf=0, for buffers of %d bytes",
		err, pool.Need-l2Header, pool.Need)
}

// hint returns how a command works without hugepages.
func (c *Config) hint(err error) string {
	if !c.NoHuge && errors.Is(err, hugepages.ErrNoHugepages) {
		return "; or use --no-huge, or a smaller --pool-size"
	}
	return ""
}

// PageSize returns the size of the pages that the buffers are in.
func (s *Set) PageSize() int { return (*mbuf.DriverPool)(s.Pool).Memory().PageSize() }

// Failed returns a channel that receives the first port failure: the device
// was removed, or did not recover.
func (s *Set) Failed() <-chan error {
	failed := make(chan error, len(s.Ports))
	for i, port := range s.Ports {
		if port == nil {
			continue
		}
		go func() {
			<-port.Done()
			failed <- fmt.Errorf("port %s: %w", s.names[i], port.Err())
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
