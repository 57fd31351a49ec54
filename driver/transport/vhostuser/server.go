package vhostuser

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/unixsock"
)

// server waits for back ends to connect. While one is connected the next waits in
// the kernel.
type server struct {
	path     string
	listener *unixsock.Listener
}

// listen creates a socket. The file of a socket on which no process listens any
// more is replaced.
func listen(path string, access unixsock.Access) (connector, error) {
	l, err := unixsock.Listen(path, access)
	if err != nil {
		return nil, listenError(path, err)
	}
	return &server{path: path, listener: l}, nil
}

// listenError is a socket that cannot be listened on, or a connection that cannot be
// accepted.
func listenError(path string, err error) error {
	e := &Error{Device: "vhost-user:" + path, Op: opListen, Err: err}
	var cause *unixsock.Error
	if errors.As(err, &cause) {
		e.Reason, e.Remedy, e.Err = cause.Reason, cause.Remedy, cause.Err
	}
	return e
}

// connect implements connector. It waits for a back end until ctx ends.
func (s *server) connect(ctx context.Context) (*net.UnixConn, error) {
	start := time.Now()
	var conn *net.UnixConn
	err := os.ErrDeadlineExceeded
	// The context of the call before may have ended late and set its deadline only now.
	for ctx.Err() == nil && errors.Is(err, os.ErrDeadlineExceeded) {
		conn, err = s.accept(ctx)
	}
	switch {
	case err == nil:
		return conn, nil
	case ctx.Err() != nil:
		return nil, &Error{Device: "vhost-user:" + s.path, Op: opAccept,
			Reason: fmt.Sprintf("no back end connected within %v", time.Since(start).Round(time.Millisecond)),
			Remedy: "start it as the client of this socket (vhostdev --client; net_vhost with client=1)", Err: ctx.Err()}
	}
	return nil, listenError(s.path, err)
}

func (s *server) accept(ctx context.Context) (*net.UnixConn, error) {
	if err := s.listener.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = s.listener.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	return s.listener.Accept()
}

// close implements connector. The file is removed if it is still the one that this
// server created.
func (s *server) close() error { return s.listener.Close() }
