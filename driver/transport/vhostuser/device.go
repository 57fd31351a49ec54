package vhostuser

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/unixsock"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// Options configure [Open]. The zero value is valid.
type Options struct {
	// Server has the device listen on the socket and the back end connect to
	// it. Otherwise the back end listens.
	Server bool
	// SocketMode is the permissions of a server's socket, to which back ends of other
	// users may connect that have write permission; 0 leaves them to the umask.
	// SocketGroup is its group, a name or a number; "" is the process's.
	SocketMode  fs.FileMode
	SocketGroup string
	// Queues is the number of queue pairs of the device, at most 128 and no more
	// than the back end has. 0 takes the number that the back end reports; some
	// report 128 and serve fewer.
	Queues int
	// MAC and MTU are those in the device configuration. nil and 0 leave them to the
	// back end, which may have none.
	MAC net.HardwareAddr
	MTU int
	// Polled says that the back end polls its rings and need not be notified: there
	// are no doorbells and no eventfds (VHOST_USER_VRING_NOFD_MASK). A back end that
	// sleeps would never wake up.
	Polled bool
	// Timeout bounds each request, the first over a connection too, so that a peer that
	// connects and says nothing does not keep others out; 0 is 3 s.
	Timeout time.Duration
	// SetUpTimeout bounds how long the back end may take over all requests from
	// Reset to DRIVER_OK together, and as long over those of SetQueuePairs, of memory
	// that is mapped while rings run, and of the beginning of a connection. 0 is
	// 10 s.
	SetUpTimeout time.Duration
	// Logger receives events that are not returned as errors; nil discards them.
	Logger *slog.Logger
}

// Device is a virtio network device behind a vhost-user socket. It implements
// [transport.Transport], [transport.QueuePairSetter], [transport.QueueResetter],
// [transport.Interrupter], [transport.Disconnecter], [transport.Announcer] and
// [transport.Describer], whose rules on goroutines apply.
type Device struct {
	path string
	name string
	opt  Options
	log  *slog.Logger
	peer connector

	// session is the connection, nil while there is none. reconnectLoop replaces it.
	session atomic.Pointer[session]
	ended   atomic.Pointer[transport.Error] // how the last one ended

	// needsReset is set when the back end has reported a broken ring.
	needsReset atomic.Bool

	// The fields below are used by the goroutine that calls the methods.
	mapped     []*hugepages.Memory
	eventfds   eventfds
	interrupts map[int]bool // rings that are to have an interrupt
	closed     bool
	closing    context.Context
	cancel     context.CancelFunc
	running    sync.WaitGroup
	events     chan transport.Event
}

var (
	_ transport.Transport       = (*Device)(nil)
	_ transport.QueuePairSetter = (*Device)(nil)
	_ transport.Disconnecter    = (*Device)(nil)
	_ transport.Describer       = (*Device)(nil)
	_ transport.QueueResetter   = (*Device)(nil)
	_ transport.Interrupter     = (*Device)(nil)
	_ transport.Announcer       = (*Device)(nil)
)

// connector makes connections to back ends, one after the other.
type connector interface {
	// connect returns the next connection. A client does not wait for a back end to
	// listen, a server waits for one to connect.
	connect(ctx context.Context) (*net.UnixConn, error)
	// close releases what the connector itself holds.
	close() error
}

// Open connects to the back end that listens on the socket path, or with
// Options.Server listens on it and waits until a back end connects, and negotiates
// the protocol features. ctx bounds Open alone. The caller owns the device and
// ends it with Close.
//
// It fails with an [*Error] for an option that cannot be used, a path longer than
// 107 bytes among them, and for the socket, and with transport.ErrDisconnected
// around an [*Error] for what the back end did. A server does not fail for that, but
// waits for the next back end.
//
// A socket file that was left behind by a server that has ended is replaced.
func Open(ctx context.Context, path string, o Options) (*Device, error) {
	if err := o.complete(path); err != nil {
		return nil, err
	}
	d := &Device{
		path: path, name: "vhost-user:" + path, opt: o,
		log:      o.Logger.With("port", "vhost-user:"+path),
		eventfds: eventfds{callFD: -1},
		// Room for a Disconnected and the Reconnected that follows it.
		events: make(chan transport.Event, 4),
	}
	d.closing, d.cancel = context.WithCancel(context.Background())
	var err error
	if o.Server {
		d.peer, err = listen(path, unixsock.Access{Mode: o.SocketMode, Group: o.SocketGroup})
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
	d.running.Go(func() { d.reconnectLoop(s) })
	return d, nil
}

// openFirst makes the first connection. A server goes on to the next peer when one
// hangs up or does not speak the protocol: another server connects only to check that
// the socket is in use, before it would replace it.
func (d *Device) openFirst(ctx context.Context) (*session, error) {
	if !d.opt.Server {
		return d.open(ctx)
	}
	d.log.Info("waiting for a back end to connect to the socket", "limit", limitOf(ctx))
	log := onceLog{log: d.log}
	var last error
	for {
		s, err := d.open(ctx)
		if err == nil || ctx.Err() != nil || !errors.Is(err, transport.ErrDisconnected) {
			return s, withLast(err, last)
		}
		last = err
		log.warn("no connection yet", err)
		select {
		case <-ctx.Done():
		case <-time.After(acceptPause):
		}
	}
}

// limitOf returns how long ctx allows to wait, in words.
func limitOf(ctx context.Context) string {
	if end, ok := ctx.Deadline(); ok {
		return time.Until(end).Round(time.Millisecond).String()
	}
	return "none"
}

// onceLog logs an error that comes again and again once.
type onceLog struct {
	log  *slog.Logger
	seen map[string]bool
}

// maxSeen bounds how many different errors are logged.
const maxSeen = 8

func (l *onceLog) warn(message string, err error) {
	text := err.Error()
	if l.seen[text] || len(l.seen) == maxSeen {
		return
	}
	if l.seen == nil {
		l.seen = make(map[string]bool)
	}
	l.seen[text] = true
	l.log.Warn(message, "err", err)
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

// open makes one connection and negotiates the protocol features.
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
	s.remaining = unlimited
	d.log.Info("back end connected", "features", d.offer(s).String(), "protocol", s.protocol,
		"pairs", s.pairs, "slots", s.slots)
	return s, nil
}

// Name returns "vhost-user:" and the path of the socket.
func (d *Device) Name() string { return d.name }

// Events implements transport.Transport.
func (d *Device) Events() <-chan transport.Event { return d.events }

// current returns the connection, or the error of a device that has none.
func (d *Device) current() (*session, error) {
	if d.closed {
		return nil, &transport.Error{Device: d.name, Err: os.ErrClosed}
	}
	if s := d.session.Load(); s != nil {
		select {
		case <-s.done:
			return nil, s.disconnected()
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
	err = errors.Join(err, d.eventfds.close())
	d.mapped = nil
	close(d.events)
	return err
}
