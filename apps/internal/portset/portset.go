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
	for _, spec := range c.Specs {
		if err := spec.Check("/"); err != nil { // before hugepages are asked for
			return nil, fmt.Errorf("port %s: %w", spec.Text, err)
		}
	}
	count, err := c.buffers()
	if err != nil {
		return nil, err
	}
	s := &Set{}
	memory := c.memory()
	if s.Pool, err = mbuf.NewPool(mbuf.Config{Count: count, DataRoom: c.dataRoom(), Memory: memory}); err != nil {
		return nil, fmt.Errorf("packet buffers: %w%s", err, c.hint(err))
	}
	o := devargs.Options{Logger: c.Logger, Pool: s.Pool, Memory: memory, Cables: c.Cables}
	if o.Cables == nil {
		o.Cables = new(devargs.Cables)
	}
	if c.Open == nil {
		c.Open = func(s devargs.Spec, o devargs.Options) (*driver.Port, error) { return s.OpenContext(ctx, o) }
	}
	for _, spec := range c.Specs {
		var turn func() int
		if c.Stepped {
			o.Step = func(t func() int) { turn = t }
		}
		port, err := c.Open(spec, o)
		if err != nil {
			return nil, errors.Join(named(spec, err), s.Close())
		}
		s.Ports, s.Turns, s.names = append(s.Ports, port), append(s.Turns, turn), append(s.names, spec.Text)
	}
	return s, nil
}

// memory says what pages to take: hugepages, unless asked otherwise or unless
// no port has hardware behind it.
func (c *Config) memory() hugepages.Options {
	if c.NoHuge {
		return hugepages.Options{PageSize: os.Getpagesize()}
	}
	for _, spec := range c.Specs {
		if spec.Kind != devargs.Emu {
			return hugepages.Options{}
		}
	}
	return hugepages.Options{SmallPages: true}
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

// hint says how a command does without hugepages.
func (c *Config) hint(err error) string {
	var shortage *hugepages.ShortageError
	var none *hugepages.SizeError
	if !c.NoHuge && (errors.As(err, &shortage) || errors.As(err, &none)) {
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
