package vhostuser

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// DefaultTimeout bounds one request and DefaultSetUpTimeout a whole set-up when
// Options do not.
const (
	DefaultTimeout      = 3 * time.Second
	DefaultSetUpTimeout = 10 * time.Second
)

// Options are what Open can be told. The zero value will do.
type Options struct {
	// Server has the device listen on the socket and the back end connect to
	// it. Otherwise the back end listens.
	Server bool
	// Queues is how many queue pairs the device is to have, at most 128. A
	// back end with fewer has fewer. 0 is as many as it says; note that some
	// say 128 and serve fewer.
	Queues int
	// MAC and MTU are what the device shows as its own, nil and 0 for none,
	// or what the back end tells if it tells anything.
	MAC net.HardwareAddr
	MTU int
	// Polled says that the back end looks at its rings all the time and need not
	// be told: there are no doorbells and no eventfds (VHOST_USER_VRING_NOFD_MASK).
	// A back end that sleeps would never wake up.
	Polled bool
	// Timeout bounds each request; 0 is DefaultTimeout.
	Timeout time.Duration
	// SetUpTimeout bounds how long the back end may take over all requests from
	// Reset to DRIVER_OK together, and as long over those of SetQueuePairs, of memory
	// that is mapped while rings run, and of the beginning of a connection. 0 is
	// DefaultSetUpTimeout.
	SetUpTimeout time.Duration
	// Logger gets what is worth knowing and no error; nil is silent.
	Logger *slog.Logger
}

// Device is a virtio network device behind a vhost-user socket. It implements
// transport.Transport and transport.QueuePairSetter.
type Device struct {
	path string
	name string
	opt  Options
	log  *slog.Logger
	peer connector

	// session is the connection, nil while there is none. keep replaces it.
	session atomic.Pointer[session]
	ended   atomic.Pointer[transport.Error] // how the last one did

	// needsReset: the back end has reported a broken ring.
	needsReset atomic.Bool

	// What follows belongs to the caller.
	mapped  []*hugepages.Memory
	bells   bells
	closed  bool
	closing context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
	events  chan transport.Event
}

var (
	_ transport.Transport       = (*Device)(nil)
	_ transport.QueuePairSetter = (*Device)(nil)
)

// connector makes connections to back ends, one after the other.
type connector interface {
	// connect returns the next connection. It does not wait for a back end
	// that could be there and is not, unless that has to come by itself.
	connect(ctx context.Context) (*net.UnixConn, error)
	// close gives back what the connector itself holds.
	close() error
}

// Open connects to the back end that listens on a socket, or with
// Options.Server listens on it and waits until a back end connects, and agrees
// with it on the protocol. ctx bounds Open alone.
//
// It fails with an [*Error] for an option that cannot be used, a path longer than
// 107 bytes among them, and for the socket, and with transport.ErrDisconnected
// around an [*Error] for what the back end did. A server goes on waiting when a
// back end closes the connection.
//
// A socket file that was left behind by a server that is no more is replaced.
func Open(ctx context.Context, path string, o Options) (*Device, error) {
	if err := o.complete(path); err != nil {
		return nil, err
	}
	d := &Device{path: path, name: "vhost-user:" + path, opt: o, log: o.Logger.With("port", "vhost-user:"+path),
		bells: bells{callFD: -1},
		// Room for an end and a beginning that follow each other.
		events: make(chan transport.Event, 4)}
	d.closing, d.cancel = context.WithCancel(context.Background())
	var err error
	if o.Server {
		d.peer, err = listen(path)
	} else {
		d.peer = client{path}
	}
	if err != nil {
		return nil, err
	}
	s, err := d.openFirst(ctx)
	if err != nil {
		d.cancel()
		return nil, errors.Join(err, d.peer.close())
	}
	d.session.Store(s)
	d.running.Go(func() { d.keep(s) })
	return d, nil
}

// openFirst makes the first connection. A server lets those pass that hang up:
// they may only have looked whether somebody listens, as another server does
// before it takes a socket over.
func (d *Device) openFirst(ctx context.Context) (*session, error) {
	var last error
	for {
		s, err := d.open(ctx)
		if !d.opt.Server || !isClosed(err) {
			return s, withLast(err, last)
		}
		last = err
		d.log.Warn("no connection yet", "err", err)
		select { // one that does it all the time costs little
		case <-ctx.Done():
		case <-time.After(firstPause):
		}
	}
}

// withLast adds to the error of a server to which no back end connected in time how
// the connection before ended, if there was one.
func withLast(err, last error) error {
	var e *Error
	if last != nil && errors.As(err, &e) && e.Op == opAccept {
		e.Reason, e.Remedy = "no back end stayed", ""
		e.Err = fmt.Errorf("%w; the last one: %w", e.Err, last)
	}
	return err
}

// open makes one connection and agrees on the protocol.
func (d *Device) open(ctx context.Context) (*session, error) {
	conn, err := d.peer.connect(ctx)
	if err != nil {
		return nil, err
	}
	s := newSession(d.name, conn, d.opt.Timeout, d.opt.SetUpTimeout)
	stop := s.endWith(ctx, "the first requests")
	defer stop()
	if err := s.begin(); err != nil {
		s.close()
		return nil, err
	}
	if err := d.watchFaults(s); err != nil {
		s.close()
		return nil, err
	}
	s.left = unlimited
	d.log.Info("back end connected", "features", d.offer(s).String(), "protocol", s.protocol, "pairs", s.pairs, "slots", s.slots)
	return s, nil
}

// Name is "vhost-user:" and the path of the socket.
func (d *Device) Name() string { return d.name }

// Events implements transport.Transport.
func (d *Device) Events() <-chan transport.Event { return d.events }

// current returns the connection there is.
func (d *Device) current() (*session, error) {
	if d.closed {
		return nil, &transport.Error{Device: d.name, Err: os.ErrClosed}
	}
	if s := d.session.Load(); s != nil {
		select {
		case <-s.done:
			return nil, s.lost()
		default:
			return s, nil
		}
	}
	return nil, d.ended.Load()
}

// Close implements transport.Transport. The memory can be released in any case:
// the back end has a mapping of its own. The socket of a server is removed.
func (d *Device) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	d.cancel()
	if s := d.session.Load(); s != nil {
		s.end(os.ErrClosed)
	}
	err := d.peer.close()
	d.running.Wait()
	err = errors.Join(err, d.bells.close())
	d.mapped = nil
	close(d.events)
	return err
}
