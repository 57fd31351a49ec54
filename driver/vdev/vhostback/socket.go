package vhostback

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
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

// listener is a socket that peers connect to.
type listener struct {
	*net.UnixListener
	path string
	made os.FileInfo // the file that was made here, nil if it was gone at once
	once sync.Once
}

func bind(path string) (*listener, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // only if it is still ours, see Close
	made, err := os.Lstat(path)
	if err != nil { // moved away already; then it is somebody else's affair
		made = nil
	}
	return &listener{UnixListener: l, path: path, made: made}, nil
}

// Close stops listening and removes the file, if it is the one made here.
func (l *listener) Close() error {
	var err error
	l.once.Do(func() {
		err = l.UnixListener.Close()
		if now, failed := os.Lstat(l.path); failed == nil && l.made != nil && os.SameFile(now, l.made) {
			err = errors.Join(err, os.Remove(l.path))
		}
	})
	return err
}

// listen listens at a path. A socket that nobody answers at is what a killed
// process left: it is replaced. Anything else that is there stays.
func listen(path string) (*listener, error) {
	l, err := bind(path)
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
	if l, err = bind(path); err != nil {
		return nil, &SocketError{Path: path, Reason: "cannot listen", Remedy: remedyOf(err), Err: err}
	}
	return l, nil
}
