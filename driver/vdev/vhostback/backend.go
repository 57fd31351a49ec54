package vhostback

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/unixsock"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Config describes a [Backend]. The zero value listens and serves a device that is
// connected to nothing.
type Config struct {
	// Client makes the back end connect to a front end that listens, and connect
	// again after a disconnect, in place of listening itself.
	Client bool
	// SocketMode is the permissions of the socket that is listened on: peers of other
	// users need write permission. 0 leaves them to the umask. SocketGroup is its
	// group, a name or a number; "" is the process's.
	SocketMode  fs.FileMode
	SocketGroup string
	// Device is the device that peers use. Features that make no sense over
	// vhost-user are not offered: see [vdev.VhostDevice].
	Device vdev.Config
	// Raw takes the place of Device: see [RawConfig].
	Raw *RawConfig
	// StateFile is a file, made if it is not there, in which the device keeps the
	// positions in packed rings: one that takes its place after this process has ended,
	// in whatever way, goes on with the rings of a front end that cannot say where they
	// are. QEMU's is one. It is best in memory, as in /run. "": none, and such a front
	// end stays without packets until its driver resets the device. Not with Raw.
	StateFile string
	// Stepped leaves it to the caller to move packets, by calling [Backend.Poll].
	Stepped bool
	// Slots is how many regions of memory a peer may share; 0: 64.
	Slots int
	// Timeout bounds how long the rest of a message may take, and how long a reply
	// may wait for the peer to read it; 0: 5 s. A connection over which nothing has
	// arrived for as long is closed, unless Client made it. It is no peer yet: the next
	// one that says something is. A peer that has no ring and says nothing for as long
	// loses its place to another one that waits.
	Timeout time.Duration
	// Up is called with true when packets can flow and with false when they cannot
	// any more. It must not wait for the Backend. It may be nil.
	Up func(bool)
	// Ended is called when a connection has ended and everything that came with it
	// was released, with the reason: nil if the peer disconnected. It may be nil.
	Ended func(error)
	// Lost is called when a peer was given up because pages of its memory do not come, as
	// from a network disk that hangs. One thread waits for them, and with Stepped or Raw
	// it may be the caller of Poll: another goroutine has to call it from now on. It must
	// not wait for the Backend. It may be nil.
	Lost func()
	// Gone is called when what the device is connected to is gone for good, with the
	// reason. Peers stay connected, and no frame passes. It may be nil.
	Gone func(error)
	// Logger receives connections and refusals; nil discards them.
	Logger *slog.Logger
}

// RawConfig asks for an engine that costs next to nothing, for measuring the
// driver at the other side of it: no frames come from or go to anywhere. Into
// every receive buffer that is available the 12 bytes of header and a frame,
// always the same one, are written, and of every transmitted packet the header
// and 64 bytes of the frame are read; then the buffer is used. The engine checks
// only what keeps it inside the peer's memory, asks for no notifications and gives
// no interrupts, so that it serves drivers that poll. Every buffer gets a used
// entry of its own, except transmitted ones with IN_ORDER, where one stands for a
// batch. All pages of the peer's memory are made present when it is shared.
type RawConfig struct {
	// Generate fills receive buffers; without it they are left alone.
	Generate bool
	// Size is the length of the generated frames in bytes, without the checksum
	// that a wire adds: 60 to 65535; 0: 64.
	Size int
	// Offloads are those of CSUM, HOST_TSO4, HOST_TSO6, HOST_ECN, HOST_USO and
	// GUEST_HDRLEN that are offered as well. Nothing is done on packets, which go nowhere,
	// and their headers are not judged. Others are refused: the frames that are received
	// are whole, and their header says nothing.
	Offloads virtio.Features
	// Refuse is taken out of the features that are offered.
	Refuse virtio.Features
}

const (
	maxPairs       = 128
	defaultSlots   = 64
	defaultTimeout = 5 * time.Second
)

// Backend is a vhost-user back end: a socket and the device behind it. Its
// methods may be called from any goroutine.
type Backend struct {
	path string
	cfg  Config
	unit atomic.Pointer[unit]

	socket *unixsock.Listener // nil for a client
	ctx    context.Context    // ends with Close
	stop   context.CancelFunc
	done   chan struct{}

	state     *state // nil without Config.StateFile
	linkUp    atomic.Bool
	lost      vdev.Stats // of units that were given up, in raw mode; guarded by mu
	closeWire sync.Once
	closeFile sync.Once

	called   chan *net.UnixConn // connections that want to be the peer
	silent   atomic.Int64       // since when the peer says nothing, in ns; 0 while a ring runs
	waiting  atomic.Bool        // one waits while another is served, which was logged
	reported string             // why there is no connection, as it was logged last

	mu       sync.Mutex
	peer     *net.UnixConn // nil while there is none
	cause    error         // why peer was closed from this side
	features virtio.Features
	up       bool
	peers    int
}

// Serve makes a device and serves it at a socket until [Backend.Close]. With Config.Client
// it connects to the socket as soon as a front end listens there; otherwise it
// listens there when Serve returns. It owns the back end of the device, also
// when it fails. An error is an *[Error] for the socket, a *[vdev.Error] for the
// device.
func Serve(path string, cfg Config) (*Backend, error) {
	cfg.complete()
	b := &Backend{path: path, cfg: cfg,
		done: make(chan struct{}), called: make(chan *net.UnixConn)}
	b.ctx, b.stop = context.WithCancel(context.Background())
	if n := cfg.Device.Pairs; n > maxPairs {
		// The device says the rest about what it cannot be.
		err := &vdev.Error{Op: "vhost-user back end", Field: "Pairs", Value: n,
			Reason: "the number of a ring has 8 bits over vhost-user", Remedy: "give 1 to 128"}
		if w := cfg.Device.Backend; w != nil {
			return nil, errors.Join(err, w.Close())
		}
		return nil, err
	}
	u, err := b.newUnit(nil)
	if err != nil {
		return nil, err
	}
	b.unit.Store(u)
	if err = checkPath(path); err == nil && cfg.StateFile != "" {
		b.state, err = b.openState(u)
	}
	if err == nil && !cfg.Client {
		b.socket, err = listen(path,
			unixsock.Access{Mode: cfg.SocketMode, Group: cfg.SocketGroup})
	}
	if err != nil {
		u.close()
		return nil, errors.Join(err, u.engine.Close(), b.state.close(false))
	}
	b.linkUp.Store(true)
	if link, ok := cfg.Device.Backend.(vdev.LinkReporter); ok && u.device != nil {
		link.FollowLink(b.setLink, cfg.Gone)
	}
	if u.device != nil && !cfg.Stepped {
		u.device.Start()
	}
	go b.run()
	return b, nil
}

func (c *Config) complete() {
	if c.Slots == 0 {
		c.Slots = defaultSlots
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Up == nil {
		c.Up = func(bool) {}
	}
	if c.Ended == nil {
		c.Ended = func(error) {}
	}
	if c.Lost == nil {
		c.Lost = func() {}
	}
	if c.Gone == nil {
		c.Gone = func(error) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Device.Logger == nil {
		c.Device.Logger = c.Logger
	}
}

// setLink sets the state of the link.
func (b *Backend) setLink(up bool) {
	b.linkUp.Store(up)
	b.unit.Load().device.SetLink(up)
}

// Device returns the device behind the socket, nil in raw mode. It belongs to the
// Backend: use only the methods that read.
//
// It is another one after a peer whose memory did not come: see [Config.Lost].
func (b *Backend) Device() *vdev.VhostDevice { return b.unit.Load().device }

// Poll moves packets, at most a burst from each ring, and reports whether there
// were any. It is for Config.Stepped and for raw mode, which has no goroutine of
// its own. One goroutine may call it, which should have called
// debug.SetPanicOnFault, as those of package lcore have: a peer can remove memory
// that it shared.
func (b *Backend) Poll() bool {
	return b.unit.Load().engine.Poll() > 0
}

// Close ends the connection, stops listening, and closes the device and its back
// end. It may be called more than once.
func (b *Backend) Close() error {
	b.stop()
	b.mu.Lock()
	if b.peer != nil {
		_ = b.peer.Close()
	}
	b.mu.Unlock()
	if b.socket != nil {
		_ = b.socket.Close() // and removes the file, if it is still the one made here
	}
	<-b.done
	u := b.unit.Load()
	if !u.lost.Load() {
		u.close()
		return errors.Join(u.engine.Close(), b.closeState(false))
	}
	// The engine, which holds the wire, waits for memory of the peer.
	var err error
	b.closeWire.Do(func() {
		if w := b.cfg.Device.Backend; w != nil {
			err = w.Close()
		}
	})
	return errors.Join(err, b.closeState(true))
}

// closeState ends the use of the state file, once.
func (b *Backend) closeState(used bool) (err error) {
	b.closeFile.Do(func() { err = b.state.close(used) })
	return err
}

// State is what a [Backend] is doing.
type State struct {
	Path      string          // of the socket
	Connected bool            // there is a peer
	Up        bool            // packets can flow
	Features  virtio.Features // what the last peer accepted of the device's
	Peers     int             // how many there were
}

// State returns what the Backend is doing now.
func (b *Backend) State() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return State{Path: b.path, Connected: b.peer != nil, Up: b.up, Features: b.features, Peers: b.peers}
}

// changed is called by the session when packets can flow or cannot any more.
func (b *Backend) changed(up bool, f virtio.Features) {
	b.mu.Lock()
	b.up = up
	if up {
		b.features = f
	}
	b.mu.Unlock()
	b.cfg.Logger.Info("vhost-user", "socket", b.path, "up", up, "features", f.String())
	b.cfg.Up(up)
}
