// Package unixsock listens on the unix sockets of vhost-user, for either side.
package unixsock

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/nofile"
)

// backlog is how many connections may wait in the kernel.
const backlog = 128

// probeTimeout bounds the check whether a process listens on a socket that exists.
const probeTimeout = time.Second

// Error is a socket that cannot be listened on, or a connection that cannot be
// accepted.
type Error struct {
	Reason, Remedy string
	Err            error
}

// Error names the reason, the cause and the remedy.
func (e *Error) Error() string { return fmt.Sprintf("%s (%v); %s", e.Reason, e.Err, e.Remedy) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Listener is a socket that peers connect to, and its file.
type Listener struct {
	*net.UnixListener
	path    string
	created os.FileInfo // the file that was created, nil if it was removed at once
	once    sync.Once
	err     error
}

// Listen creates a socket with the given access. The file of a socket on which no
// process listens any more is replaced, any other file is not. Every failure is an
// *[Error].
func Listen(path string, a Access) (*Listener, error) {
	owner, err := a.resolve()
	if err != nil {
		return nil, err
	}
	l, err := bind(path, owner.apply)
	if errors.Is(err, unix.EADDRINUSE) {
		if err := clearStale(path); err != nil {
			return nil, err
		}
		l, err = bind(path, owner.apply)
	}
	if err != nil {
		return nil, listenError(err)
	}
	return l, nil
}

// Close stops listening and removes the file, if it is still the one that Listen
// created.
func (l *Listener) Close() error {
	l.once.Do(func() {
		l.err = errors.Join(l.UnixListener.Close(), remove(l.path, l.created))
	})
	return l.err
}

// Accept waits for the next connection. A failure is an *[Error], except after Close
// and at a deadline.
func (l *Listener) Accept() (*net.UnixConn, error) {
	conn, err := l.AcceptUnix()
	if err == nil || errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
		return conn, err
	}
	e := &Error{Reason: "no connection can be accepted", Remedy: "it is tried again", Err: err}
	if reason, remedy := nofile.Explain(err); reason != "" {
		e.Reason, e.Remedy = reason, remedy
	}
	return nil, e
}

// bind creates the socket. Nothing can connect to it before apply has given it its
// mode and its group, because it is not listened on until then.
func bind(path string, apply func(path string) error) (*Listener, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	file := os.NewFile(uintptr(fd), path)
	defer file.Close() // the listener has a descriptor of its own
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return nil, os.NewSyscallError("bind", err)
	}
	created, err := os.Lstat(path)
	if err != nil { // another process has removed it already: Close leaves the path alone
		created = nil
	}
	l := &Listener{path: path, created: created}
	if err := l.listen(file, apply); err != nil {
		return nil, errors.Join(err, remove(path, created))
	}
	return l, nil
}

// listen has apply change the file and begins to listen.
func (l *Listener) listen(file *os.File, apply func(path string) error) error {
	if err := apply(l.path); err != nil {
		return err
	}
	if err := unix.Listen(int(file.Fd()), backlog); err != nil {
		return os.NewSyscallError("listen", err)
	}
	listener, err := net.FileListener(file)
	if err != nil {
		return err
	}
	l.UnixListener = listener.(*net.UnixListener)
	l.SetUnlinkOnClose(false) // another process may have replaced the file, see Close
	return nil
}

// remove removes the file at path if it is the one that was created there.
func remove(path string, created os.FileInfo) error {
	now, err := os.Lstat(path)
	if err != nil || created == nil || !os.SameFile(now, created) {
		return nil
	}
	return os.Remove(path)
}

// clearStale removes the file at path if it is a socket on which no process listens.
func clearStale(path string) error {
	info, err := os.Lstat(path)
	if err == nil && info.Mode()&fs.ModeSocket == 0 {
		return &Error{Reason: "there is a file of that name, which is not a socket",
			Remedy: "take another path, or remove the file", Err: unix.EADDRINUSE}
	}
	conn, err := net.DialTimeout("unix", path, probeTimeout)
	switch {
	case err == nil:
		_ = conn.Close()
		return inUse()
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case !errors.Is(err, unix.ECONNREFUSED): // EAGAIN: a process listens and does not accept
		return inUse()
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &Error{Reason: "the file of a socket that is not in use cannot be removed",
			Remedy: "remove it, or take another path", Err: err}
	}
	return nil
}

func inUse() error {
	return &Error{Reason: "another process listens on this socket",
		Remedy: "stop it, or take another path", Err: unix.EADDRINUSE}
}

// listenError says why the socket cannot be created.
func listenError(err error) error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	e := &Error{Reason: "the socket cannot be created", Remedy: "take another path", Err: err}
	reason, remedy := nofile.Explain(err)
	switch {
	case reason != "":
		e.Reason, e.Remedy = reason, remedy
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		e.Reason, e.Remedy = "its directory does not exist", "create the directory first"
	case errors.Is(err, fs.ErrPermission):
		e.Reason, e.Remedy = "this user may not create files there",
			"take a directory of your own, as in $XDG_RUNTIME_DIR"
	case errors.Is(err, unix.EROFS):
		e.Reason, e.Remedy = "the file system is read-only", "take a path on another one"
	case errors.Is(err, unix.EADDRINUSE):
		return inUse()
	}
	return e
}
