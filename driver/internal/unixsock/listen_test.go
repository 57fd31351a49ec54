package unixsock

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// someGroup is a group that this process may give a file to.
func someGroup() int {
	if os.Getuid() == 0 {
		return 12345
	}
	return os.Getgid()
}

// TestAccess: the file has the mode and the group that were asked for, whatever the
// umask is, and without them what the umask leaves.
func TestAccess(t *testing.T) {
	defer unix.Umask(unix.Umask(0o027))
	gid := someGroup()
	for _, c := range []struct {
		access Access
		mode   fs.FileMode
		gid    int
	}{
		{Access{}, 0o750, os.Getgid()},
		{Access{Mode: 0o660}, 0o660, os.Getgid()},
		{Access{Mode: 0o777, Group: strconv.Itoa(gid)}, 0o777, gid},
		{Access{Group: strconv.Itoa(gid)}, 0o750, gid},
		{Access{Mode: 0o606, Group: "root"}, 0o606, 0},
	} {
		if c.gid == 0 && os.Getuid() != 0 {
			continue
		}
		path := filepath.Join(t.TempDir(), "s")
		for range 2 { // the second time in place of a stale one
			l, err := Listen(path, c.access)
			if err != nil {
				t.Fatalf("%+v: %v", c.access, err)
			}
			info, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Sys().(*syscall.Stat_t); info.Mode().Perm() != c.mode || int(got.Gid) != c.gid {
				t.Errorf("%+v: mode %v, group %d", c.access, info.Mode(), got.Gid)
			}
			if err := l.UnixListener.Close(); err != nil { // as a killed process does
				t.Error(err)
			}
		}
	}
}

// TestAccessBeforeConnect: nothing can connect before mode and group are set, and if
// they cannot be set, nothing is left behind.
func TestAccessBeforeConnect(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := bind(path, func(path string) error {
		if conn, err := net.Dial("unix", path); !errors.Is(err, unix.ECONNREFUSED) {
			t.Errorf("connected to %v before the mode is set: %v", conn, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := bind(path, func(string) error { return unix.EPERM }); !errors.Is(err, unix.EPERM) {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket was left behind: %v", err)
	}
}

// TestListenRefuses: what cannot be listened on is an *Error with a remedy, and
// nothing is left behind.
func TestListenRefuses(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(at("file"), []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	busy, err := net.Listen("unix", at("busy"))
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for _, c := range []struct {
		name   string
		access Access
		cause  error
	}{
		{"none/s", Access{}, fs.ErrNotExist},
		{"file/s", Access{}, unix.ENOTDIR},
		{"file", Access{}, unix.EADDRINUSE},
		{"busy", Access{}, unix.EADDRINUSE},
		{"s", Access{Group: "no such group"}, fs.ErrNotExist},
		{"s", Access{Group: "-1"}, fs.ErrNotExist},
		{"s", Access{Mode: 0o660 | fs.ModeSetuid}, fs.ErrInvalid},
	} {
		l, err := Listen(at(c.name), c.access)
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, c.cause) || e.Reason == "" || e.Remedy == "" || l != nil {
			t.Errorf("%s %+v: %v, %v", c.name, c.access, l, err)
		}
	}
	if _, err := os.Lstat(at("s")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a socket was left behind: %v", err)
	}
}
