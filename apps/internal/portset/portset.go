// Package portset opens the ports of a command line over one pool of packet
// buffers, watches them, and closes them again.
package portset

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// CacheSize is how many buffers a poller keeps at hand, as in DPDK's examples.
const CacheSize = 256

// l2Header is what the MTU leaves out: an Ethernet header with a VLAN tag.
const l2Header = 18

// minPool is the least number of buffers, as in DPDK's l2fwd.
const minPool = 8192

// Config says which ports to open and how.
type Config struct {
	Specs    []devargs.Spec
	Burst    int  // packets a burst
	Pollers  int  // goroutines that poll, each with a cache of buffers
	PoolSize int  // buffers, 0 for as many as the ports need
	NoHuge   bool // ordinary pages for every port
	// Stepped leaves running the emulated devices to the caller: see Set.Turns.
	Stepped bool
	Logger  *slog.Logger
	// Cables joins emulated ports of one name; nil joins those of this set.
	Cables *devargs.Cables
	// Open opens one port; nil is what devargs does.
	Open func(devargs.Spec, devargs.Options) (*driver.Port, error)

	root string // where sys is: tests have their own
}

// Set is ports that share a pool. Its methods are for one goroutine.
type Set struct {
	Ports []*driver.Port
	Pool  *mbuf.Pool
	// Turns[i], if not nil, makes one turn of the emulated device behind port i.
	// Somebody has to call it again and again; any goroutine may.
	Turns []func() int
	names []string
}

// Parse reads the texts of ports. Errors are *devargs.Error.
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

// Open opens all ports or none. It ends with ctx, if a port waits for its peer.
func Open(ctx context.Context, c Config) (*Set, error) {
	if c.root == "" {
		c.root = "/"
	}
	for _, spec := range c.Specs {
		if err := spec.Check(c.root); err != nil { // before hugepages are asked for
			return nil, fmt.Errorf("port %s: %w", spec.Text, err)
		}
	}
	count, err := c.buffers()
	if err != nil {
		return nil, err
	}
	s := &Set{}
	var memory hugepages.Options
	if s.Pool, memory, err = c.pool(count); err != nil {
		return nil, fmt.Errorf("packet buffers: %w%s", err, c.hint(err))
	}
	o := devargs.Options{Logger: c.Logger, Pool: s.Pool, Memory: memory, Cables: c.Cables}
	if o.Cables == nil {
		o.Cables = new(devargs.Cables)
	}
	if c.Open == nil {
		c.Open = func(s devargs.Spec, o devargs.Options) (*driver.Port, error) { return s.Open(ctx, o) }
	}
	for _, spec := range c.Specs {
		var turn func() int
		if c.Stepped {
			o.EmuPoll = &turn
		}
		port, err := c.Open(spec, o)
		if err != nil {
			return nil, errors.Join(named(spec, tooSmall(err)), s.Close())
		}
		s.Ports, s.Turns, s.names = append(s.Ports, port), append(s.Turns, turn), append(s.names, spec.Text)
	}
	return s, nil
}

// pool makes the pool and says what memory the ports are to use: that near the
// devices, or any if there it cannot be had, which is only slower.
func (c *Config) pool(count int) (*mbuf.Pool, hugepages.Options, error) {
	cfg := mbuf.Config{Count: count, DataRoom: c.dataRoom(), Memory: c.memory()}
	pool, err := mbuf.NewPool(cfg)
	if err != nil && cfg.Memory.Node != nil {
		if c.Logger != nil {
			c.Logger.Warn("no memory near the devices: it is taken from any NUMA node, which is slower", "node", *cfg.Memory.Node, "err", err)
		}
		cfg.Memory.Node = nil
		pool, err = mbuf.NewPool(cfg)
	}
	return pool, cfg.Memory, err
}

// memory says what pages to take: hugepages, unless asked otherwise or unless
// no port has hardware behind it, on the node of the hardware.
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

// node is the NUMA node of the PCI ports, nil if they are on several or if the
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

// dataRoom is the room of a buffer: the usual one, 0, unless a port may not
// spread the frames of its MTU over several buffers.
func (c *Config) dataRoom() int {
	room := 0
	for _, spec := range c.Specs {
		if frame := spec.MTU + l2Header; spec.Refuse.Has(virtio.NetMrgRxbuf) && frame > mbuf.DefaultDataRoom {
			room = max(room, frame)
		}
	}
	return room
}

// buffers is the size of the pool: enough for every ring to be full, for the
// bursts under way and for the caches, counted as DPDK's l2fwd does.
func (c *Config) buffers() (int, error) {
	need := 0
	for _, spec := range c.Specs {
		need += max(spec.Queues, 1) * (spec.RxRing() + spec.TxRing() + c.Burst)
	}
	if c.PoolSize == 0 {
		return max(need+len(c.Specs)*c.Pollers*CacheSize, minPool), nil
	}
	if c.PoolSize < need {
		return 0, &PoolSizeError{Size: c.PoolSize, Need: need}
	}
	return c.PoolSize, nil
}

// PoolSizeError is a pool that cannot fill the rings: sent packets are freed
// when their places are needed, so that with too few of them traffic comes to
// an end.
type PoolSizeError struct{ Size, Need int }

func (e *PoolSizeError) Error() string {
	return fmt.Sprintf("a pool of %d packet buffers: the rings of the ports and a burst each take up to %d; "+
		"ask for as many, or for smaller rings with rx_queue_size and tx_queue_size", e.Size, e.Need)
}

// named says which port err is about, unless it does so itself.
func named(spec devargs.Spec, err error) error {
	var text *devargs.Error
	if errors.As(err, &text) {
		return err
	}
	return fmt.Errorf("port %s: %w", spec.Text, err)
}

// tooSmall adds to an error about a device whose frames do not fit the buffers
// what makes larger ones: the device told its MTU when they were there already.
func tooSmall(err error) error {
	var pool *driver.PoolError
	if !errors.As(err, &pool) {
		return err
	}
	return fmt.Errorf("%w; on a command line give the port mtu=%d,mrg_rxbuf=0, for buffers of %d bytes", err, pool.Need-l2Header, pool.Need)
}

// hint says how a command does without hugepages.
func (c *Config) hint(err error) string {
	if !c.NoHuge && errors.Is(err, hugepages.ErrNoHugepages) {
		return "; or use --no-huge, or a smaller --pool-size"
	}
	return ""
}

// Failed returns a channel that receives the first port failure: the device
// was removed, or did not recover.
func (s *Set) Failed() <-chan error {
	failed := make(chan error, len(s.Ports))
	for i, port := range s.Ports {
		go func() {
			<-port.Done()
			failed <- fmt.Errorf("port %s: %w", s.names[i], port.Err())
		}()
	}
	return failed
}

// Close closes the ports, then the pollers' caches, into which the ports gave
// their buffers, and releases the pool. Nobody polls the queues any more, and
// every buffer was freed or sent: one that is missing is a *mbuf.BusyError.
func (s *Set) Close(caches ...*mbuf.Cache) error {
	var errs []error
	for i, port := range s.Ports {
		if err := port.Close(); err != nil {
			errs = append(errs, fmt.Errorf("closing port %s: %w", s.names[i], err))
		}
	}
	for _, c := range caches {
		c.Close()
	}
	if errs == nil {
		// A port that could not be closed may still use the memory.
		errs = append(errs, s.Pool.Release())
	}
	return errors.Join(errs...)
}
