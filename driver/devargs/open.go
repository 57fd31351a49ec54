package devargs

import (
	"context"
	"errors"
	"log/slog"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vpci"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// Options say what a port is opened with. The zero value will do.
type Options struct {
	// Pool is where received packets go; it remains the application's. nil gives
	// the port a pool of its own.
	Pool *mbuf.Pool
	// Memory says what pages the rings and the port's own pool are made of. The
	// zero value is hugepages, for an emulated port ordinary pages if there are
	// none. [Spec.Node] says which NUMA node is near.
	Memory hugepages.Options
	// Cables is where the other end of emu:cable=NAME is found.
	Cables *Cables
	// EmuPoll, if not nil, is for an application that has a polling loop and saves
	// the goroutine that an emulated device otherwise has: Open stores in *EmuPoll
	// the function that has the device process its queues once and returns how many
	// frames moved. The application calls it again and again, from any goroutine,
	// until the port is closed. For a port that is not emulated Open stores nil.
	EmuPoll *func() int
	// Root is where dev and sys are; "" is "/".
	Root string
	// Logger receives events that are not returned as errors; nil discards them.
	Logger *slog.Logger
}

// Open parses the text of a port and opens it: [Parse], then [Spec.Open].
func Open(ctx context.Context, text string, o Options) (*driver.Port, error) {
	s, err := Parse(text)
	if err != nil {
		return nil, err
	}
	return s.Open(ctx, o)
}

// Open opens the port, which is up and receives when Open returns; its Close
// gives the device back. A vhost-user port with server=1 waits until its back end
// connects. Such waiting ends with ctx; the port, once open, does not.
func (s Spec) Open(ctx context.Context, o Options) (*driver.Port, error) {
	if o.EmuPoll != nil {
		*o.EmuPoll = nil
	}
	cfg := driver.Config{
		Queues: s.Queues, RxQueueSize: s.RxQueueSize, TxQueueSize: s.TxQueueSize,
		Refuse: s.Refuse, MTU: s.MTU, Pool: o.Pool, Memory: o.Memory, Logger: o.Logger,
		Interrupts: s.Interrupts,
	}
	cfg.Require, cfg.Request = s.features()
	switch s.Kind {
	case Emu:
		cfg.Memory.SmallPages = cfg.Memory.PageSize == 0
		return s.openEmu(ctx, cfg, o)
	case VhostUser:
		return s.openVhostUser(ctx, cfg, o)
	}
	cfg.MAC = s.MAC
	t, err := s.openPCI(o)
	if err != nil {
		return nil, err
	}
	return s.openPort(ctx, t, cfg)
}

// openEmu opens a device in software. The device has its own goroutine at least
// until the port is open, because the driver waits for answers while it opens.
func (s Spec) openEmu(ctx context.Context, cfg driver.Config, o Options) (*driver.Port, error) {
	fn, err := s.emulate(o)
	if err != nil {
		return nil, err
	}
	fn.Device().Start()
	t, err := vpci.Open(fn, vpci.Options{Logger: o.Logger})
	if err != nil {
		return nil, err
	}
	cfg.DeviceDrops, cfg.DeviceMisses = fn.Device().TxDrops, fn.Device().RxMissed
	cfg.DeviceFiltered = fn.Device().RxFiltered
	port, err := s.openPort(ctx, t, cfg)
	if err != nil {
		return nil, err
	}
	if o.EmuPoll != nil {
		fn.Device().Stop()
		fn.Device().Disarm()
		*o.EmuPoll = fn.Device().Poll
	}
	return port, nil
}

// openPort opens a port and sets on it what the keys say.
func (s Spec) openPort(ctx context.Context, t transport.Transport, cfg driver.Config) (*driver.Port, error) {
	port, err := driver.OpenContext(ctx, t, cfg)
	if err != nil {
		return nil, s.nameKeys(err)
	}
	if err := s.apply(ctx, port); err != nil {
		return nil, errors.Join(err, port.Close())
	}
	return port, nil
}
