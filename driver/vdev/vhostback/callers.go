package vhostback

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxCallers is how many connections are held that are no peer yet; others wait in
	// the kernel.
	maxCallers = 16
	// acceptPause bounds the rate at which connections are accepted.
	acceptPause = time.Millisecond
)

// callers accepts connections and sends those over which something has arrived to
// b.called. A front end has the first word, so that a connection that stays silent keeps
// neither the place of a peer, nor for longer than the timeout that of a caller. It
// returns when the Backend is closed and no caller is held.
func (b *Backend) callers() {
	places := make(chan struct{}, maxCallers)
	wait := minBackoff
	for b.ctx.Err() == nil {
		conn, err := b.socket.Accept()
		if err != nil {
			b.unreachable(err)
			b.pause(wait)
			wait = min(2*wait, maxBackoff)
			continue
		}
		wait, b.reported = minBackoff, ""
		places <- struct{}{}
		go func() {
			defer func() { <-places }()
			b.call(conn)
		}()
		b.pause(acceptPause)
	}
	for range maxCallers {
		places <- struct{}{}
	}
}

// call waits for the first byte of a connection and for its turn as the peer.
func (b *Backend) call(conn *net.UnixConn) {
	stop := context.AfterFunc(b.ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	err := awaitByte(conn, b.cfg.Timeout)
	if err == nil {
		if b.State().Connected && !b.waiting.Swap(true) {
			b.cfg.Logger.Warn("another front end waits for the device, which serves one at a time",
				"socket", b.path)
		}
		if b.awaitTurn(conn) {
			return
		}
	}
	_ = conn.Close()
	if errors.Is(err, os.ErrDeadlineExceeded) && b.ctx.Err() == nil {
		b.cfg.Logger.Warn("vhost-user connection closed", "socket", b.path,
			"err", fmt.Errorf("nothing was received within %v", b.cfg.Timeout))
	}
}

// awaitTurn waits until a connection is the peer, and reports whether it is. A peer that has
// no ring, and has been silent for longer than the timeout, loses its place.
func (b *Backend) awaitTurn(conn *net.UnixConn) bool {
	ticker := time.NewTicker(max(b.cfg.Timeout/16, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case b.called <- conn:
			return true
		case <-b.ctx.Done():
			return false
		case <-ticker.C:
			since := b.silent.Load()
			if since != 0 && time.Since(time.Unix(0, since)) > b.cfg.Timeout {
				b.endConnection(&Error{Device: thePeer, Op: opRead, Reason: fmt.Sprintf(
					"it has no ring, has said nothing for %v, and another front end waits", b.cfg.Timeout)})
			}
		}
	}
}

// awaitByte waits until there is something to read, at most limit. It fails with io.EOF
// if that is the end.
func awaitByte(conn *net.UnixConn, limit time.Duration) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	if err := conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	var result error
	err = raw.Read(func(fd uintptr) bool {
		var b [1]byte
		n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		switch {
		case err == unix.EAGAIN || err == unix.EINTR:
			return false
		case err == nil && n == 0:
			err = io.EOF
		}
		result = err
		return true
	})
	if err != nil {
		return err
	}
	return result
}

// unreachable logs why there is no connection, unless it was logged last.
func (b *Backend) unreachable(err error) {
	switch text := err.Error(); {
	case errors.Is(err, net.ErrClosed), b.ctx.Err() != nil, text == b.reported:
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ECONNREFUSED):
		b.cfg.Logger.Debug("no vhost-user peer", "socket", b.path, "err", err) // none listens
	default:
		b.reported = text
		b.cfg.Logger.Warn("no vhost-user peer", "socket", b.path, "err", err)
	}
}
