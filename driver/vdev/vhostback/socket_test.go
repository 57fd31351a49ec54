package vhostback_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/vhostback"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
)

// poller moves packets for a back end that has no goroutine of its own.
func poller(b *vhostback.Backend, stop, stopped chan struct{}) {
	defer close(stopped)
	debug.SetPanicOnFault(true)
	for {
		select {
		case <-stop:
			return
		default:
			b.Poll()
		}
	}
}

func TestSocketPaths(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	long := filepath.Join(dir, strings.Repeat("x", 108))
	for name, path := range map[string]string{"empty": "", "too long": long, "no directory": filepath.Join(dir, "none", "s"), "a file": file} {
		t.Run(name, func(t *testing.T) {
			_, err := vhostback.Serve(path, vhostback.Config{})
			var bad *vhostback.Error
			if !errors.As(err, &bad) || bad.Remedy == "" {
				t.Errorf("%v (%T)", err, err)
			}
		})
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "precious" {
		t.Error("the file was touched")
	}
	if _, err := vhostback.Serve(long, vhostback.Config{Client: true}); err == nil {
		t.Error("a client takes a path that is too long")
	}
}

// A socket that a killed process left is replaced; one where another process listens
// is not. Close removes the socket.
func TestSocketStaleAndInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Close(fd); err != nil {
		t.Fatal(err)
	}
	back, err := vhostback.Serve(path, vhostback.Config{})
	if err != nil {
		t.Fatalf("with a stale socket: %v", err)
	}
	if _, err := vhostback.Serve(path, vhostback.Config{}); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("a second back end at the same socket: %v", err)
	}
	if err := back.Close(); err != nil {
		t.Error(err)
	}
	if err := back.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

// A socket that another process has put in place of the back end's stays.
func TestSocketOfAnotherProcessStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	back, err := vhostback.Serve(path, vhostback.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	other, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := back.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
}

// As a client the back end waits for a front end that listens, and reconnects after a
// disconnect.
func TestClient(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	f := &front{t: t, ended: make(chan error, 64), path: path}
	var err error
	f.back, err = vhostback.Serve(path, vhostback.Config{Client: true, Device: vdev.Config{Backend: wire.Gen(64)},
		Ended: func(err error) { f.ended <- err }})
	if err != nil {
		t.Fatal(err)
	}
	defer f.back.Close()
	f.fd, f.mem = sharedFile(t, shared)
	for range 3 {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if f.socket, err = l.AcceptUnix(); err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
		clear(f.mem)
		f.need = false
		rx, _ := f.up(bits(bitVersion1), 16)
		rx.add(guestBase+buffer(0), 0x800, write)
		f.until("a frame arrives", func() bool { _, _, ok := rx.used(); return ok })
		_ = f.socket.Close()
		if err := f.over(); err != nil {
			t.Error(err)
		}
	}
}

// Close ends a connection in any state, and releases everything.
func TestCloseWhileConnected(t *testing.T) {
	fds, maps := resources(t)
	path := filepath.Join(t.TempDir(), "s")
	for n := range 4 {
		up := make(chan bool, 16)
		back, err := vhostback.Serve(path, vhostback.Config{Device: vdev.Config{Backend: wire.Gen(64)}, Up: func(on bool) { up <- on }})
		if err != nil {
			t.Fatal(err)
		}
		t.Run("", func(t *testing.T) {
			f := &front{t: t, back: back, path: path}
			f.fd, f.mem = sharedFile(t, shared)
			if n > 0 {
				f.connect()
			}
			if n > 1 {
				f.hello(noStatus, bits(bitVersion1))
			}
			if n > 2 {
				f.up(bits(bitVersion1), 16)
				if !<-up {
					t.Error("down before it was up")
				}
			}
			if err := back.Close(); err != nil {
				t.Error(err)
			}
			if n > 2 && <-up {
				t.Error("still up after it was closed")
			}
		})
	}
	if nowFDs, nowMaps := resources(t); nowFDs != fds || nowMaps != maps {
		t.Errorf("%d descriptors and %d mappings, before %d and %d", nowFDs, nowMaps, fds, maps)
	}
}
