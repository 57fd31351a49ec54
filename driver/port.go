package driver

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Port is one virtio network device that packets are received from and
// transmitted to. Its methods may be called from any goroutine; its queues
// belong to the goroutines that poll them.
type Port struct {
	device     *device
	supervisor *supervisor

	closeOnce sync.Once
	closeErr  error
}

// Open sets up the device behind t and returns its port. The port takes over
// t, which is closed if Open fails.
//
// An invalid cfg is found before the device is touched. Later failures leave the
// device with FAILED set or reset, and nothing allocated. The error is an [*Error],
// a [*PoolError], or one of the transport ([*transport.ResetError],
// [*transport.FeatureError], …) or of [hugepages.Allocate]. [errors.Is] finds
// [errors.ErrUnsupported] for a legacy device and for features that the device
// refuses, and [context.DeadlineExceeded] for a device that did not answer in time.
func Open(t transport.Transport, cfg Config) (*Port, error) {
	return OpenContext(context.Background(), t, cfg)
}

// OpenContext is [Open] for a caller that may not want to wait for the device. ctx
// bounds the set-up alone: the port, once open, does not end with it.
func OpenContext(ctx context.Context, t transport.Transport, cfg Config) (*Port, error) {
	if err := cfg.complete(); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	s := newSupervisor(cfg.Recovery)
	d := newDevice(t, cfg, s.reportBroken, s.reportUnanswered)
	s.device, s.log = d, d.log
	if err := s.start(ctx); err != nil {
		d.closeWaiters()
		return nil, errors.Join(err, d.release())
	}
	return &Port{device: d, supervisor: s}, nil
}

// Close resets the device and, when the device has confirmed that, unmaps its memory
// and releases everything; buffers that the queues held are back in their pools. The
// caller has stopped polling, although later bursts do no harm: they return 0.
//
// A device that does not confirm the reset is stopped by closing the transport. If
// even that does not stop it, memory that it may still write to is deliberately
// kept, and the error is a [*MemoryKeptError]. The same holds for a goroutine that
// has been inside a burst for longer than any burst takes: the device is reset, and
// what the goroutine may still use is kept.
//
// Close may be called more than once and then returns the same error again.
func (p *Port) Close() error {
	p.closeOnce.Do(func() {
		p.supervisor.stop()
		busy := p.device.close()
		p.supervisor.finish(closedError(p.device.name))
		p.device.closeWaiters()
		if busy != nil {
			p.closeErr = p.device.keepMapped(busy)
		} else {
			p.closeErr = p.device.release()
		}
	})
	return p.closeErr
}

// Name returns which device this is and how it is reached.
func (p *Port) Name() string { return p.device.name }

// Queues returns the number of queue pairs in use.
func (p *Port) Queues() int { return len(p.device.rx) }

// RxQueue returns the receive queue of pair i, counted from 0, or nil if there
// is no such pair.
func (p *Port) RxQueue(i int) *RxQueue {
	if i < 0 || i >= len(p.device.rx) {
		return nil
	}
	return p.device.rx[i]
}

// TxQueue returns the transmit queue of pair i, counted from 0, or nil if there
// is no such pair.
func (p *Port) TxQueue(i int) *TxQueue {
	if i < 0 || i >= len(p.device.tx) {
		return nil
	}
	return p.device.tx[i]
}

// MAC returns the port's Ethernet address: the one that [Port.SetMAC] has set, or that in
// the Config, or the device's, or a random one for a device that has none.
func (p *Port) MAC() net.HardwareAddr { return slices.Clone(p.device.current.Load().mac) }

// MTU returns the largest packet of the link, without its Ethernet header: the
// Config's, or the device's, and longer packets are not sent. If neither says it,
// it is [DefaultMTU], which is not enforced.
func (p *Port) MTU() int { return p.device.current.Load().mtu }

// Link returns the state of the link as it was when the device was last read.
func (p *Port) Link() Link { return *p.supervisor.link.Load() }

// Features returns what was negotiated with the device.
func (p *Port) Features() virtio.Features { return p.device.current.Load().features }

// Path returns how packets are received and transmitted, and why not faster.
func (p *Port) Path() Path { return p.device.current.Load().path(p.device.cfg.Refuse) }

// Pool returns where received packets go.
func (p *Port) Pool() *mbuf.Pool { return p.device.pool }

// Attach maps the memory of another pool, so that its buffers can be transmitted
// here. To attach a pool again has no effect. The port holds the pool until it is closed
// or the pool is detached: its memory stays although the application, or the port whose
// own pool it is, has released it meanwhile. The error is an [*mbuf.Error] for a pool that was
// released, and a [*PoolError] for one that is too small for one port more.
func (p *Port) Attach(pool *mbuf.Pool) error { return p.device.attach(pool) }

// Detach undoes Attach: buffers of the pool are not taken for transmission any more, and
// the memory is unmapped. While some of them are posted here, or a transmit queue uses a
// cache of the pool, that is an error that is [mbuf.ErrInUse]; [TxQueue.Reclaim] brings
// buffers back that the device has sent. The port's own pool cannot be detached, and to
// detach one that is not attached has no effect. For a moment the transmit queues take
// nothing.
//
// A device that is in use keeps its mappings, behind PCI and behind vhost-user alike: the
// memory, which no queue names any more, is unmapped when the device is reset next, as in
// a recovery or a reconnection, or when the port is closed.
func (p *Port) Detach(pool *mbuf.Pool) error { return p.device.detach(pool) }

// Done returns a channel that is closed when the port ends: it failed, its device
// was removed, or Close was called. Bursts return 0 from then on. A port that failed
// still has to be closed.
func (p *Port) Done() <-chan struct{} { return p.supervisor.done }

// Err returns nil until Done is closed, and then why the port ended: an [*Error], a
// [*QueueBrokenError], or a [*RecoveryError] around what could not be recovered from.
// [errors.Is] finds
//
//   - [os.ErrClosed] after Close,
//   - [transport.ErrRemoved] if the device was removed,
//   - [ErrNeedsReset] if the device asked for a reset,
//   - [transport.ErrLocal] if the device could not be set up again for a reason in this
//     process,
//   - [transport.ErrDisconnected] if the back end disconnected and [Recovery] allows
//     no resets. Otherwise the port waits for it and does not end.
func (p *Port) Err() error {
	select {
	case <-p.supervisor.done:
		return p.supervisor.err
	default:
		return nil
	}
}
