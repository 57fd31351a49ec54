package vhostback

import (
	"net"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
)

// The pause between attempts to connect, or to accept when no descriptors are left.
const (
	minBackoff = 10 * time.Millisecond
	maxBackoff = time.Second
)

// run serves one peer after another until the Backend is closed.
func (b *Backend) run() {
	defer close(b.done)
	if b.socket != nil {
		go func() {
			defer close(b.called)
			b.callers()
		}()
		for socket := range b.called {
			b.serve(socket)
		}
		return
	}
	wait := minBackoff
	for b.ctx.Err() == nil {
		socket, err := b.connect()
		if err != nil {
			b.unreachable(err)
			b.pause(wait)
			wait = min(2*wait, maxBackoff)
			continue
		}
		wait, b.reported = minBackoff, ""
		b.serve(socket)
		b.pause(minBackoff) // a front end may close each connection at once
	}
}

// connect connects to a front end that listens.
func (b *Backend) connect() (*net.UnixConn, error) {
	dialer := net.Dialer{Timeout: maxBackoff}
	c, err := dialer.DialContext(b.ctx, "unix", b.path)
	if err != nil {
		return nil, err
	}
	return c.(*net.UnixConn), nil
}

// pause waits for d, or until the Backend is closed.
func (b *Backend) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-b.ctx.Done():
	}
}

// serve serves one peer. It returns when the connection has ended, or when the peer was
// given up.
func (b *Backend) serve(socket *net.UnixConn) {
	defer socket.Close()
	u := b.unit.Load()
	if !b.setPeer(socket, u) {
		return
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		// Starting a ring reads memory that the peer can remove.
		debug.SetPanicOnFault(true)
		b.converse(socket, u)
	}()
	if !b.await(ended, socket, u) {
		b.abandon(u)
	}
}

// converse exchanges messages with a peer until the connection ends, and releases what
// the peer has shared.
func (b *Backend) converse(socket *net.UnixConn, u *unit) {
	s := newSession(newConn(socket, b.cfg.Timeout), b, u)
	over := make(chan struct{})
	watched := make(chan struct{})
	go b.watch(u, over, watched)
	err := s.serve()
	close(over)
	<-watched
	cause, closed := b.clearPeer(u)
	if cause != nil {
		err = cause
		s.reportFailure()
	}
	s.end()
	if u.lost.Load() { // the pages have come after all, and the Backend has another unit
		if u.device != nil {
			u.device.Stop()
		}
		u.close()
		return
	}
	if closed {
		err = nil
	}
	if err != nil {
		b.cfg.Logger.Warn("vhost-user connection closed", "socket", b.path, "err", err)
	}
	_ = socket.Close()
	b.cfg.Ended(err)
}

const (
	// awaitPeriod is how often it is checked whether a peer is to be given up.
	awaitPeriod = 100 * time.Millisecond
	// lostAfter is how long memory of a peer that has gone may take to come.
	lostAfter = 300 * time.Millisecond
)

// await waits for the end of a connection. It returns false if the peer is to be given
// up: it has gone, or the Backend is closed, and a goroutine still waits for memory; or it
// is there, and one has waited for longer than Config.Timeout.
func (b *Backend) await(ended chan struct{}, socket *net.UnixConn, u *unit) bool {
	ticker := time.NewTicker(awaitPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ended:
			return true
		case <-ticker.C:
		}
		waits := u.waits()
		if waits > b.cfg.Timeout || waits > lostAfter && (b.ctx.Err() != nil || hungUp(socket)) {
			return false
		}
	}
}

// hungUp reports whether the peer, or this side, has closed the connection.
func hungUp(socket *net.UnixConn) bool {
	conn, err := socket.SyscallConn()
	if err != nil {
		return true
	}
	gone := true
	_ = conn.Control(func(fd uintptr) {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		_, err := unix.Poll(poll, 0)
		gone = err == nil && poll[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
	})
	return gone
}

// abandon gives a peer up, with the unit that it has blocked, and goes on with another
// one unless the Backend is closed.
func (b *Backend) abandon(u *unit) {
	u.abandon()
	_, closed := b.clearPeer(u)
	b.mu.Lock()
	up := b.up
	b.up = false
	b.mu.Unlock()
	b.cfg.Logger.Error("a vhost-user peer is given up, and one thread with it: "+
		"pages of the memory that it shares do not come", "socket", b.path)
	if !closed {
		next, err := b.newUnit(u)
		if err != nil {
			b.cfg.Logger.Error("no other peer can be served", "socket", b.path, "err", err)
			b.stop()
			return
		}
		if next.device != nil {
			next.device.SetLink(b.linkUp.Load())
			if !b.cfg.Stepped {
				next.device.Start()
			}
		} else {
			b.addLost(u.engine.Stats())
		}
		b.unit.Store(next)
	}
	if up {
		b.cfg.Up(false)
	}
	b.cfg.Lost()
	b.cfg.Ended(&Error{Device: thePeer, Op: opMemory, Reason: "pages of it do not come"})
}

// addLost counts what an engine did that was given up.
func (b *Backend) addLost(s vdev.Stats) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lost = sum(b.lost, s)
}

// withLost adds what engines did that were given up.
func (b *Backend) withLost(s vdev.Stats) vdev.Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	return sum(b.lost, s)
}

// sum adds the counters that the raw engine has.
func sum(a, b vdev.Stats) vdev.Stats {
	b.TxFrames += a.TxFrames
	b.TxBytes += a.TxBytes
	b.RxFrames += a.RxFrames
	b.RxBytes += a.RxBytes
	b.RxDropped += a.RxDropped
	b.Doorbells += a.Doorbells
	return b
}

// setPeer makes a socket the peer, unless the Backend was closed.
func (b *Backend) setPeer(socket *net.UnixConn, u *unit) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ctx.Err() != nil {
		return false
	}
	b.peer, b.cause = socket, nil
	b.peers++
	b.waiting.Store(false)
	b.silent.Store(time.Now().UnixNano())
	select {
	case <-u.failed: // of an earlier peer
	default:
	}
	return true
}

// clearPeer ends that, and returns why this side closed the connection, and whether
// the Backend was closed.
func (b *Backend) clearPeer(u *unit) (cause error, closed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.unit.Load() != u {
		return nil, true
	}
	b.peer = nil
	return b.cause, b.ctx.Err() != nil
}

// watch closes the connection when the engine stops by itself.
func (b *Backend) watch(u *unit, over, done chan struct{}) {
	defer close(done)
	for {
		select {
		case <-over:
			return
		case <-u.failed:
		}
		if err := failure(u.engine); err != nil && !u.lost.Load() {
			b.endConnection(err)
		}
	}
}

// endConnection closes the connection to the peer, if there is one, for the reason err.
func (b *Backend) endConnection(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.peer != nil && b.cause == nil {
		b.cause = err
		_ = b.peer.CloseRead()
	}
}
