package driver

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/ctrlq"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// Port is one virtio network device that packets are received from and
// transmitted to. Its methods may be called from any goroutine; its queues
// belong to the goroutines that poll them.
type Port struct {
	name string
	cfg  Config
	log  *slog.Logger

	// Fixed when Open returns.
	rx      []*RxQueue
	tx      []*TxQueue
	pool    *mbuf.Pool
	ownPool bool

	agreed atomic.Pointer[terms]
	link   atomic.Pointer[Link]
	resets atomic.Uint64
	parted atomic.Uint64 // times that the back end has gone

	// mu guards the device: whoever uses t holds it, and what follows.
	mu       sync.Mutex
	t        transport.Transport
	status   virtio.Status       // what was written last
	rings    *hugepages.Memory   // of all virtqueues, nil before the first set-up
	attached []*hugepages.Memory // mapped for the device, rings and pools
	pools    []*mbuf.Pool        // whose buffers can be used
	ctrl     *ctrlq.Queue        // nil with one pair
	ctrlBell transport.Notifier
	closed   bool

	statMu sync.Mutex // guards which rings the queues' counters are read from

	breakage atomic.Pointer[QueueBrokenError] // what a poller found
	trouble  chan struct{}                    // that it found something
	ctx      context.Context
	cancel   context.CancelFunc // ends the supervisor
	ended    chan struct{}      // the supervisor has ended

	attempts attempts // to recover; the supervisor's
	away     bool     // the back end has gone and is waited for; the supervisor's

	doneOnce sync.Once
	done     chan struct{}
	err      error // written before done is closed

	closeOnce sync.Once
	closeErr  error
}

// Open sets up the device behind t and returns its port. The port takes over
// t, which is closed if Open fails.
//
// What is wrong with cfg itself is found before the device is touched: a
// *ConfigError or a *QueueSizeError. Later failures leave the device with
// FAILED set or reset, and nothing allocated: *LegacyDeviceError,
// *FeaturesRefusedError, *QueueSizeError for a size this device cannot have,
// *PoolError, *RingMemoryError, the errors of the transport (ResetError,
// FeatureError, …), of hugepages.Allocate and of ctrlq.
func Open(t transport.Transport, cfg Config) (*Port, error) {
	if err := cfg.complete(); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	p := &Port{
		name: t.Name(), cfg: cfg, log: cfg.Logger.With("port", t.Name()), t: t,
		trouble: make(chan struct{}, 1), ended: make(chan struct{}), done: make(chan struct{}),
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.link.Store(&Link{})
	if err := p.start(); err != nil {
		p.cancel()
		return nil, errors.Join(err, p.abandon())
	}
	p.openGates()
	go p.supervise()
	return p, nil
}

// Name says which device this is and how it is reached.
func (p *Port) Name() string { return p.name }

// Queues returns the number of queue pairs in use.
func (p *Port) Queues() int { return len(p.rx) }

// RxQueue returns the receive queue of pair i, counted from 0, or nil if there
// is no such pair.
func (p *Port) RxQueue(i int) *RxQueue {
	if i < 0 || i >= len(p.rx) {
		return nil
	}
	return p.rx[i]
}

// TxQueue returns the transmit queue of pair i, counted from 0, or nil if there
// is no such pair.
func (p *Port) TxQueue(i int) *TxQueue {
	if i < 0 || i >= len(p.tx) {
		return nil
	}
	return p.tx[i]
}

// MAC returns the port's Ethernet address: the device's, or the one in the
// Config, or a random one for a device that has none.
func (p *Port) MAC() net.HardwareAddr { return slices.Clone(p.agreed.Load().mac) }

// MTU returns the largest packet of the link, without its Ethernet header: the
// Config's, or the device's, and no longer one is sent. If neither says it is
// DefaultMTU, which binds nobody.
func (p *Port) MTU() int { return p.agreed.Load().mtu }

// Link returns the state of the link as it was when the device was last heard.
func (p *Port) Link() Link { return *p.link.Load() }

// Features returns what was negotiated with the device.
func (p *Port) Features() virtio.Features { return p.agreed.Load().features }

// Path returns how packets are received and transmitted, and why not faster.
func (p *Port) Path() Path { return p.agreed.Load().path(p.cfg.Refuse) }

// Pool returns where received packets go.
func (p *Port) Pool() *mbuf.Pool { return p.pool }

// Attach maps the memory of another pool, so that its buffers can be
// transmitted here. It must not be released before the port is closed. A pool
// that the port has already is fine.
func (p *Port) Attach(pool *mbuf.Pool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return &ClosedError{Device: p.name}
	}
	return p.attach(pool)
}

// Done is closed when the port has come to its end: it failed, its device was
// removed, or Close was called. Bursts return 0 from then on. A port that
// failed still has to be closed.
func (p *Port) Done() <-chan struct{} { return p.done }

// Err returns nil until Done is closed, then why: *RemovedError,
// *NeedsResetError, *LostStatusError, *QueueBrokenError, *BusyQueueError, a
// *RecoveryError around one of them, or *ClosedError. A back end that has gone
// is waited for, unless Config.Recovery rules that out: then
// errors.Is finds transport.ErrDisconnected in it.
func (p *Port) Err() error {
	select {
	case <-p.done:
		return p.err
	default:
		return nil
	}
}

// finish ends the port for its users with err. Only the first one counts.
func (p *Port) finish(err error) {
	p.doneOnce.Do(func() {
		p.link.Store(&Link{})
		p.err = err
		close(p.done)
	})
}

// attach maps a pool and has the transmit queues take its buffers. p.mu is held,
// or nobody else knows p yet.
func (p *Port) attach(pool *mbuf.Pool) error {
	// What was mapped stays so while queues are enabled, so a pool that cannot be
	// bound must not get that far.
	if err := (*mbuf.DriverPool)(pool).CheckBind(); err != nil {
		return err
	}
	pages, err := p.mapMemory(pool.Memory())
	if err != nil {
		return err
	}
	if err := (*mbuf.DriverPool)(pool).Bind(pages); err != nil {
		return err
	}
	if slices.Contains(p.pools, pool) {
		return nil
	}
	for _, q := range p.tx {
		if q.ring == nil {
			continue // it is about to be set up, with all pools
		}
		if err := q.ring.AddPool(pool); err != nil {
			return err
		}
	}
	p.pools = append(p.pools, pool)
	return nil
}

// mapMemory maps mem for the device and remembers it, once.
func (p *Port) mapMemory(mem *hugepages.Memory) ([]uint64, error) {
	pages, err := p.t.MapDMA(mem)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(p.attached, mem) {
		p.attached = append(p.attached, mem)
	}
	return pages, nil
}

// unmapMemory takes the mapping back. The device has been reset.
func (p *Port) unmapMemory(mem *hugepages.Memory) error {
	if err := p.t.UnmapDMA(mem); err != nil {
		return err
	}
	p.attached = slices.DeleteFunc(p.attached, func(m *hugepages.Memory) bool { return m == mem })
	return nil
}
