package vhostback_test

import (
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev/vhostback"
	"github.com/virtio-pmd/virtio-pmd/test/fdtest"
)

// logBuffer is the text that a logger has written.
type logBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// serveLogged starts a back end without a peer.
func serveLogged(t *testing.T, cfg vhostback.Config) (*front, *logBuffer) {
	t.Helper()
	log := new(logBuffer)
	cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
	f := &front{t: t, path: filepath.Join(t.TempDir(), "s"), ended: make(chan error, 256)}
	cfg.Ended = func(err error) { f.ended <- err }
	var err error
	if f.back, err = vhostback.Serve(f.path, cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.back.Close(); err != nil {
			t.Error(err)
		}
	})
	return f, log
}

// dial makes a connection over which nothing is sent.
func dial(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c.(*net.UnixConn)
}

// Connections that say nothing do not keep a front end out, before the first peer and
// between two.
func TestSilentConnectionsKeepNoPlace(t *testing.T) {
	f, _ := serveLogged(t, vhostback.Config{Timeout: time.Hour})
	for n := range 2 {
		for range 5 {
			dial(t, f.path)
		}
		f.connect()
		f.fence()
		if s := f.back.State(); s.Peers != n+1 || !s.Connected {
			t.Errorf("%+v", s)
		}
		_ = f.socket.Close()
		if err := f.over(); err != nil {
			t.Error(err)
		}
	}
}

// A connection that says nothing is closed after the timeout, so that more of them than
// are held at a time do not keep a front end out either. Close does not wait for them.
func TestSilentConnectionsAreClosed(t *testing.T) {
	f, log := serveLogged(t, vhostback.Config{Timeout: 200 * time.Millisecond})
	var silent []*net.UnixConn
	for range 40 {
		silent = append(silent, dial(t, f.path))
	}
	f.connect()
	f.fence()
	for _, c := range silent {
		if n, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%d bytes, %v", n, err)
		}
	}
	if !strings.Contains(log.String(), "nothing was received within 200ms") {
		t.Errorf("it is not logged: %s", log)
	}
	if s := f.back.State(); s.Peers != 1 {
		t.Errorf("%+v", s)
	}

	f, _ = serveLogged(t, vhostback.Config{Timeout: time.Hour})
	for range 40 {
		dial(t, f.path)
	}
	if err := f.back.Close(); err != nil {
		t.Error(err)
	}
}

// After many connections that hang up at once the front end behind them is served.
func TestHangUpsKeepNoPlace(t *testing.T) {
	f, _ := serveLogged(t, vhostback.Config{Timeout: time.Hour}) // none is waited for
	for range 100 {
		_ = dial(t, f.path).Close()
	}
	f.connect()
	f.fence()
}

// A second front end waits, which is logged, and is served when the first is gone.
func TestSecondFrontEndWaits(t *testing.T) {
	f, log := serveLogged(t, vhostback.Config{})
	f.connect()
	f.fence()
	second := &front{t: t, back: f.back, path: f.path}
	second.connect()
	second.raw(encode(getFeatures, 0, nil))
	f.until("it is logged", func() bool { return strings.Contains(log.String(), "another front end waits") })
	f.fence()
	_ = f.socket.Close()
	second.answer(getFeatures, 8)
}

// A front end that has said something and has no ring loses its place to one that waits; one
// with a ring that runs keeps it, however silent it is.
func TestSilentPeerLosesItsPlace(t *testing.T) {
	f, log := serveLogged(t, vhostback.Config{Timeout: 200 * time.Millisecond})
	f.connect()
	f.fence()
	second := &front{t: t, back: f.back, path: f.path}
	second.fd, second.mem = sharedFile(t, shared)
	second.connect()
	second.up(bits(bitVersion1), 16)
	if err := expect[*vhostback.Error](t, f.over()); !strings.Contains(err.Error(), "another front end waits") {
		t.Error(err)
	}
	third := &front{t: t, back: f.back, path: f.path}
	third.connect()
	third.raw(encode(getFeatures, 0, nil))
	f.until("it is logged", func() bool { return strings.Contains(log.String(), "another front end waits for the device") })
	time.Sleep(600 * time.Millisecond) // three times as long as a peer without a ring may be silent
	second.fence()
	_ = second.socket.Close()
	third.answer(getFeatures, 8)
}

// That no descriptor is left is said, with the limit, where a connection is accepted
// and where descriptors arrive; when there are some again the next peer is served.
func TestOutOfDescriptors(t *testing.T) {
	f, log := serveLogged(t, vhostback.Config{})
	fd, _ := sharedFile(t, shared)
	f.fd = fd
	f.connect()
	f.hello(0, bits(bitVersion1))
	release := fdtest.Limit(t, 0)
	f.share()
	err := f.over()
	release()
	if err == nil || !strings.Contains(err.Error(), "open files and needs more") {
		t.Errorf("the connection ended with %v", err)
	}

	late, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(late)
	release = fdtest.Limit(t, 0)
	if err := unix.Connect(late, &unix.SockaddrUnix{Name: f.path}); err != nil {
		t.Error(err)
	}
	f.until("it is logged", func() bool {
		return strings.Contains(log.String(), "no vhost-user peer") &&
			strings.Contains(log.String(), "open files and needs more")
	})
	release()
	f.connect()
	f.fence()
	if n := strings.Count(log.String(), "no vhost-user peer"); n != 1 {
		t.Errorf("it is logged %d times", n)
	}
}

// A driver that uses the device as a legacy one is told what to switch on.
func TestLegacyDriverIsTold(t *testing.T) {
	f, log := serveLogged(t, vhostback.Config{})
	f.connect()
	f.send(setFeatures, numbers(0))
	f.fence()
	if !strings.Contains(log.String(), "disable-legacy=on") {
		t.Errorf("%s", log)
	}
}
