package vhostback

import (
	"net"
	"runtime/debug"
	"time"
)

// The pause between attempts to connect, or to accept when no descriptors are left.
const (
	minBackoff = 10 * time.Millisecond
	maxBackoff = time.Second
)

// run serves one peer after another until the Backend is closed.
func (b *Backend) run() {
	defer close(b.done)
	// Starting a ring reads memory that the peer can remove.
	debug.SetPanicOnFault(true)
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

// serve serves one peer.
func (b *Backend) serve(socket *net.UnixConn) {
	defer socket.Close()
	if !b.setPeer(socket) {
		return
	}
	s := newSession(newConn(socket, b.cfg.Timeout), b)
	over := make(chan struct{})
	watched := make(chan struct{})
	go b.watch(over, watched)
	err := s.serve()
	close(over)
	<-watched
	cause, closed := b.clearPeer()
	if cause != nil {
		err = cause
		s.reportFailure()
	}
	s.end()
	if closed {
		err = nil
	}
	if err != nil {
		b.cfg.Logger.Warn("vhost-user connection closed", "socket", b.path, "err", err)
	}
	_ = socket.Close()
	b.cfg.Ended(err)
}

// setPeer makes a socket the peer, unless the Backend was closed.
func (b *Backend) setPeer(socket *net.UnixConn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ctx.Err() != nil {
		return false
	}
	b.peer, b.cause = socket, nil
	b.peers++
	b.waiting.Store(false)
	select {
	case <-b.failed: // of an earlier peer
	default:
	}
	return true
}

// clearPeer ends that, and returns why this side closed the connection, and whether
// the Backend was closed.
func (b *Backend) clearPeer() (cause error, closed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.peer = nil
	return b.cause, b.ctx.Err() != nil
}

// watch closes the connection when the engine stops by itself.
func (b *Backend) watch(over, done chan struct{}) {
	defer close(done)
	for {
		select {
		case <-over:
			return
		case <-b.failed:
		}
		if err := failure(b.engine); err != nil {
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

// eventfdBroken ends the connection to a peer that cannot be notified: it has filled
// the eventfd of a ring, or err says what happened.
func (b *Backend) eventfdBroken(ring int, err error) {
	b.endConnection(eventfdError(ring, err))
}
