package vhostuser

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/nofile"
)

// client connects to a back end that listens.
type client struct{ path string }

func (c client) connect(ctx context.Context) (*net.UnixConn, error) {
	conn, err := dial(ctx, c.path)
	if err != nil {
		return nil, connectError(c.path, err)
	}
	return conn, nil
}

// Check returns the error that [Open] would return if there is no such socket, or if this
// user may not reach it. It does not connect: a back end may serve only one connection.
func Check(path string) error {
	if _, err := os.Stat(path); err != nil {
		return connectError(path, err)
	}
	return nil
}

func connectError(path string, err error) *Error {
	e := &Error{Device: "vhost-user:" + path, Op: opConnect, Err: withoutPath(err)}
	e.Reason, e.Remedy = nofile.Explain(err)
	switch {
	case e.Reason != "":
	case errors.Is(err, unix.EAGAIN):
		e.Reason, e.Remedy = "the process that listens on it accepts no connections",
			"it hangs, or serves others: its log may say why"
	case errors.Is(err, fs.ErrNotExist):
		e.Reason, e.Remedy = "there is no such socket",
			"start the back end first, or have it connect to a socket of this port (server=1)"
	case errors.Is(err, unix.ECONNREFUSED) && isDirectory(path):
		e.Reason, e.Remedy = "it is a directory", "name the socket in it"
	case errors.Is(err, unix.ECONNREFUSED):
		e.Reason, e.Remedy = "no process listens on it",
			"the back end that made this file has ended, or it is not a socket; start the back end again"
	case errors.Is(err, fs.ErrPermission):
		e.Reason, e.Remedy = "this user may not use the socket",
			"give write permission to the socket and search permission to its directory"
	case errors.Is(err, unix.EPROTOTYPE):
		e.Reason, e.Remedy = "it is not a stream socket", "name the socket of a vhost-user back end"
	default:
		e.Reason, e.Remedy = "the connection cannot be made", "check whether a back end runs there"
	}
	return e
}

// withoutPath returns the cause in the error of a system call, whose text has the path again.
func withoutPath(err error) error {
	var file *fs.PathError
	var network *net.OpError
	switch {
	case errors.As(err, &file):
		return file.Err
	case errors.As(err, &network):
		return network.Err
	}
	return err
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func (client) close() error { return nil }

// dial connects to a stream socket.
func dial(ctx context.Context, path string) (*net.UnixConn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	return conn.(*net.UnixConn), nil
}
