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

// server waits for back ends to connect. A second one waits in the kernel until
// the first has gone.
type server struct {
	path     string
	listener *net.UnixListener
	made     os.FileInfo // the socket file that was made here
	once     sync.Once
	err      error
}

// listen makes a socket. The file of one that nobody listens on any more is
// replaced.
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
	l.SetUnlinkOnClose(false) // only if it is still ours, see close
	made, err := os.Lstat(path)
	if err != nil { // moved away already; then it is somebody else's affair
		made = nil
	}
	return &server{path: path, listener: l, made: made}, nil
}

// clearStale removes the file of a socket that is in the way, if it is one and
// nobody answers there.
func clearStale(path string) error {
	info, err := os.Lstat(path)
	if err == nil && info.Mode()&fs.ModeSocket == 0 {
		return &Error{Device: "vhost-user:" + path, Op: opListen, Reason: "there is a file of that name, which is not a socket",
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
	case !errors.Is(err, unix.ECONNREFUSED): // EAGAIN: somebody is there and does not answer
		return inUseError(path)
	}
	return asListenError(path, os.Remove(path))
}

func asListenError(path string, err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Device: "vhost-user:" + path, Op: opListen, Err: err, Reason: "the socket cannot be made", Remedy: "take another path"}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Reason, e.Remedy = "its directory does not exist", "make the directory first"
	case errors.Is(err, fs.ErrPermission):
		e.Reason, e.Remedy = "this user may not make files there", "take a directory of your own, as in $XDG_RUNTIME_DIR"
	}
	return e
}

// connect implements connector. It waits for a back end as long as ctx allows.
func (s *server) connect(ctx context.Context) (*net.UnixConn, error) {
	start := time.Now()
	var conn *net.UnixConn
	err := os.ErrDeadlineExceeded
	// A deadline can be left over from the call before, whose context ended late.
	for ctx.Err() == nil && errors.Is(err, os.ErrDeadlineExceeded) {
		conn, err = s.accept(ctx)
	}
	switch {
	case err == nil:
		return conn, nil
	case ctx.Err() != nil:
		waited := time.Since(start).Round(time.Millisecond)
		return nil, &Error{Device: "vhost-user:" + s.path, Op: opAccept, Reason: fmt.Sprintf("no back end connected within %v", waited),
			Remedy: "start it as the client of this socket (net_vhost: client=1)", Err: ctx.Err()}
	}
	return nil, &Error{Device: "vhost-user:" + s.path, Op: opListen, Err: err,
		Reason: "no connection can be accepted", Remedy: "raise the limit of open files (ulimit -n)"}
}

func (s *server) accept(ctx context.Context) (*net.UnixConn, error) {
	if err := s.listener.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = s.listener.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	return s.listener.AcceptUnix()
}

// close implements connector. The file is removed if it is the one made here.
func (s *server) close() error {
	s.once.Do(func() {
		s.err = s.listener.Close()
		if now, err := os.Lstat(s.path); err == nil && s.made != nil && os.SameFile(now, s.made) {
			s.err = errors.Join(s.err, os.Remove(s.path))
		}
	})
	return s.err
}
