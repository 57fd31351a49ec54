package portset

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/await"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
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

// PageSize returns the size of the pages that the buffers are in.
func (s *Set) PageSize() int { return (*mbuf.DriverPool)(s.Pool).Memory().PageSize() }
