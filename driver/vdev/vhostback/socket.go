package vhostback

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// maxPath is the longest path of a socket: struct sockaddr_un has 108 bytes, one
// of which is the zero at the end.
const maxPath = 107

func checkPath(path string) error {
	switch {
	case path == "":
		return &SocketError{Path: path, Reason: "no path", Remedy: "name a file, like /run/vm0.sock"}
	case len(path) > maxPath:
		return &SocketError{Path: path, Reason: fmt.Sprintf("the path has %d bytes, a socket's has at most %d", len(path), maxPath), Remedy: "take a shorter one"}
	}
	return nil
}

// listen listens at a path. A socket that nobody answers at is what a killed
// process left: it is replaced. Anything else that is there stays.
func listen(path string) (*net.UnixListener, error) {
	address := &net.UnixAddr{Name: path, Net: "unix"}
	l, err := net.ListenUnix("unix", address)
	if err == nil {
		return l, nil
	}
	if !errors.Is(err, unix.EADDRINUSE) {
		return nil, &SocketError{Path: path, Reason: "cannot listen", Remedy: remedyOf(err), Err: err}
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket == 0 {
		return nil, &SocketError{Path: path, Reason: "there is a file that is no socket", Remedy: "take another path"}
	}
	if c, err := net.DialTimeout("unix", path, time.Second); !errors.Is(err, unix.ECONNREFUSED) {
		if c != nil {
			_ = c.Close()
		}
		return nil, &SocketInUseError{path}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, &SocketError{Path: path, Reason: "a stale socket cannot be removed", Remedy: "remove it", Err: err}
	}
	if l, err = net.ListenUnix("unix", address); err != nil {
		return nil, &SocketError{Path: path, Reason: "cannot listen", Remedy: remedyOf(err), Err: err}
	}
	return l, nil
}
