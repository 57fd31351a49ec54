package vhostback

import (
	"net"
	"runtime/debug"
	"time"
)

// Between attempts to connect, or to accept when there are no descriptors left.
const (
	firstWait = 10 * time.Millisecond
	lastWait  = time.Second
)

// run serves one peer after the other until the Backend is closed.
func (b *Backend) run() {
	defer close(b.done)
	// Starting a ring looks at memory that the peer can take away.
	debug.SetPanicOnFault(true)
	wait := firstWait
	for b.ctx.Err() == nil {
		socket, err := b.connect()
		if err != nil {
			b.cfg.Logger.Debug("no vhost-user peer", "socket", b.path, "err", err)
			b.pause(wait)
			wait = min(2*wait, lastWait)
			continue
		}
		wait = firstWait
		b.serve(socket)
		if b.cfg.Client {
			b.pause(firstWait) // a front end that closes at once would be called in a loop
		}
	}
}

// connect waits for the next peer.
func (b *Backend) connect() (*net.UnixConn, error) {
	if b.socket != nil {
		return b.socket.AcceptUnix()
	}
	dialer := net.Dialer{Timeout: lastWait}
	c, err := dialer.DialContext(b.ctx, "unix", b.path)
	if err != nil {
		return nil, err
	}
	return c.(*net.UnixConn), nil
}

// pause waits, or until the Backend is closed.
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
	if !b.enter(socket) {
		return
	}
	s := newSession(newConn(socket, b.cfg.Timeout), b)
	over := make(chan struct{})
	watched := make(chan struct{})
	go b.watch(s, over, watched)
	err := s.serve()
	stop := b.relieve()
	defer stop()
	close(over)
	<-watched
	cause, closed := b.leave()
	if cause != nil {
		err = cause
		s.lament()
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

// enter makes a socket the peer, unless the Backend was closed.
func (b *Backend) enter(socket *net.UnixConn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ctx.Err() != nil {
		return false
	}
	b.peer, b.cause = socket, nil
	b.peers++
	select {
	case <-b.failed: // of an earlier peer
	default:
	}
	return true
}

// leave ends that, and returns why this side closed the connection, and whether
// the Backend was closed.
func (b *Backend) leave() (cause error, closed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.peer = nil
	return b.cause, b.ctx.Err() != nil
}

// watch closes the connection when the engine stops by itself.
func (b *Backend) watch(s *session, over, done chan struct{}) {
	defer close(done)
	for {
		select {
		case <-over:
			return
		case <-b.failed:
		}
		if err := failure(b.engine); err != nil {
			b.mu.Lock()
			b.cause = err
			b.mu.Unlock()
			_ = s.conn.socket.CloseRead()
		}
	}
}
