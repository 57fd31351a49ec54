package vhostuser

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// server waits for back ends to connect. While one is connected the next waits in
// the kernel.
type server struct {
	path     string
	listener *net.UnixListener
	created  os.FileInfo // the socket file that this server created
	once     sync.Once
	err      error
}

// listen creates a socket. The file of a socket on which no process listens any
// more is replaced.
func listen(path string) (connector, error) {
	s, err := bind(path)
	if !errors.Is(err, unix.EADDRINUSE) {
		return s, asListenError(path, err)
	}
	if err := clearStale(path); err != nil {
		return nil, err
	}
	s, err = bind(path)
	return s, asListenError(path, err)
}

func bind(path string) (connector, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // another process may have replaced the file, see close
	created, err := os.Lstat(path)
	if err != nil { // another process has removed it already: close leaves the path alone
		created = nil
	}
	return &server{path: path, listener: l, created: created}, nil
}

// clearStale removes the file at path if it is a socket on which no process listens.
func clearStale(path string) error {
	info, err := os.Lstat(path)
	if err == nil && info.Mode()&fs.ModeSocket == 0 {
		return &Error{Device: "vhost-user:" + path, Op: opListen,
			Reason: "there is a file of that name, which is not a socket",
			Remedy: "take another path, or remove the file", Err: unix.EADDRINUSE}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := dial(ctx, path)
	switch {
	case err == nil:
		_ = conn.Close()
		return inUseError(path)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case !errors.Is(err, unix.ECONNREFUSED): // EAGAIN: a process listens and does not accept
		return inUseError(path)
	}
	return asListenError(path, os.Remove(path))
}

func asListenError(path string, err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Device: "vhost-user:" + path, Op: opListen, Err: err,
		Reason: "the socket cannot be created", Remedy: "take another path"}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Reason, e.Remedy = "its directory does not exist", "create the directory first"
	case errors.Is(err, fs.ErrPermission):
		e.Reason, e.Remedy = "this user may not create files there",
			"take a directory of your own, as in $XDG_RUNTIME_DIR"
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
		waited := time.Since(start).Round(time.Millisecond)
		return nil, &Error{Device: "vhost-user:" + s.path, Op: opAccept,
			Reason: fmt.Sprintf("no back end connected within %v", waited),
			Remedy: "start it as the client of this socket (net_vhost: client=1)", Err: ctx.Err()}
	}
	return nil, &Error{Device: "vhost-user:" + s.path, Op: opListen, Err: err,
		Reason: "no connection can be accepted",
		Remedy: "raise the limit of open files (ulimit -n)"}
}

func (s *server) accept(ctx context.Context) (*net.UnixConn, error) {
	if err := s.listener.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = s.listener.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	return s.listener.AcceptUnix()
}

// close implements connector. The file is removed if it is still the one that this
// server created.
func (s *server) close() error {
	s.once.Do(func() {
		s.err = s.listener.Close()
		if now, err := os.Lstat(s.path); err == nil && s.created != nil &&
			os.SameFile(now, s.created) {
			s.err = errors.Join(s.err, os.Remove(s.path))
		}
	})
	return s.err
}
