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
		return socketError(path, "no path", "name a file, like /run/vm0.sock", nil)
	case len(path) > maxPath:
		return socketError(path, fmt.Sprintf("the path has %d bytes, a socket's has at most %d", len(path), maxPath), "take a shorter one", nil)
	}
	return nil
}

// listener is a socket that peers connect to.
type listener struct {
	*net.UnixListener
	path string
	made os.FileInfo // the file that was made here, nil if it was removed at once
	once sync.Once
}

func bind(path string) (*listener, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // only if it is still the one made here, see Close
	made, err := os.Lstat(path)
	if err != nil { // another process has removed it already
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

// listen listens at a path. It replaces a socket on which no process listens, which
// a killed process left, and no other file.
func listen(path string) (*listener, error) {
	l, err := bind(path)
	if err == nil {
		return l, nil
	}
	if !errors.Is(err, unix.EADDRINUSE) {
		return nil, socketError(path, "cannot listen", remedyOf(err), err)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket == 0 {
		return nil, socketError(path, "there is a file that is no socket", "take another path", nil)
	}
	if c, err := net.DialTimeout("unix", path, time.Second); !errors.Is(err, unix.ECONNREFUSED) {
		if c != nil {
			_ = c.Close()
		}
		return nil, socketError(path, "another process listens there", "end it, or take another path", unix.EADDRINUSE)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, socketError(path, "a stale socket cannot be removed", "remove it", err)
	}
	if l, err = bind(path); err != nil {
		return nil, socketError(path, "cannot listen", remedyOf(err), err)
	}
	return l, nil
}
