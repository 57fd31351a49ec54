package devargs

import (
	"context"
	"log/slog"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vpci"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// Options say what a port is opened with. The zero value will do.
type Options struct {
	// Pool is where received packets go; it stays the caller's. nil gives the
	// port a pool of its own.
	Pool *mbuf.Pool
	// Memory says what pages the rings and the port's own pool are made of. The
	// zero value is hugepages, for an emulated port ordinary pages if there are
	// none. Spec.Node says which NUMA node is near.
	Memory hugepages.Options
	// Cables is where the other end of emu:cable=NAME is to be found.
	Cables *Cables
	// Step is for a caller who has a loop anyway and would rather not have a
	// goroutine for each emulated device: it is given a function that makes one
	// turn of the device and returns how many frames moved, to be called over and
	// over until the port is closed, from any goroutine. nil has the device run by
	// itself.
	Step func(turn func() int)
	// Root is where dev and sys are; "" is "/".
	Root string
	// Logger is told what is of interest to people; nil is silent.
	Logger *slog.Logger
}

// Open parses the text of a port and opens it.
func Open(text string, o Options) (*driver.Port, error) {
	s, err := Parse(text)
	if err != nil {
		return nil, err
	}
	return s.Open(o)
}

// Open opens the port. It is up and receives when Open returns; Close of it
// gives the device back. Where the device has to connect first, as to a
// vhost-user port that is a server, Open waits: OpenContext can be told to stop.
func (s Spec) Open(o Options) (*driver.Port, error) {
	return s.OpenContext(context.Background(), o)
}

// OpenContext is Open until ctx ends, which has no meaning for the open port.
func (s Spec) OpenContext(ctx context.Context, o Options) (*driver.Port, error) {
	cfg := driver.Config{
		Queues: s.Queues, RxQueueSize: s.RxQueueSize, TxQueueSize: s.TxQueueSize,
		Refuse: s.Refuse, MTU: s.MTU, Pool: o.Pool, Memory: o.Memory, Logger: o.Logger,
	}
	switch s.Kind {
	case Emu:
		cfg.Memory.SmallPages = cfg.Memory.PageSize == 0
		return s.openEmu(cfg, o)
	case VhostUser:
		return s.openVhostUser(ctx, cfg, o)
	}
	cfg.MAC = s.MAC
	t, err := s.openPCI(o)
	if err != nil {
		return nil, err
	}
	return driver.Open(t, cfg)
}

// openEmu opens a device in software. It runs by itself at least until the
// port is open, because it has commands to answer.
func (s Spec) openEmu(cfg driver.Config, o Options) (*driver.Port, error) {
	fn, err := s.emulate(o)
	if err != nil {
		return nil, err
	}
	fn.Device().Start()
	t, err := vpci.Open(fn, vpci.Options{Logger: o.Logger})
	if err != nil {
		return nil, err
	}
	port, err := driver.Open(t, cfg)
	if err != nil {
		return nil, err
	}
	if o.Step != nil {
		fn.Device().Stop()
		fn.Device().Disarm()
		o.Step(fn.Device().Poll)
	}
	return port, nil
}
