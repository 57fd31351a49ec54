package vhostuser_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vhostuser"
)

// The server role, on the file of a server that has ended; the file goes when
// the device does.
func TestServer(t *testing.T) {
	b := newBackend(t)
	leftOver(t, b.path)
	b.running.Go(func() { // it connects as soon as the device listens
		for {
			conn, err := net.Dial("unix", b.path)
			if err == nil {
				b.serve(conn.(*net.UnixConn))
				return
			}
			time.Sleep(time.Millisecond)
		}
	})
	d := open(t, b, vhostuser.Options{Server: true})
	newSteps(t, d, 2).run(t)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(b.path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket was left behind (%v)", err)
	}
}

// A second server that checks whether the socket is in use does not end the first,
// which still waits for its back end. A connection that was closed at once is in the
// error of a timeout.
func TestServerOutlivesBadConnections(t *testing.T) {
	b := newBackend(t)
	b.running.Go(func() {
		for range 3 {
			b.connectAndClose()
		}
		ctx, cancel := context.WithTimeout(context.Background(), short)
		defer cancel()
		if _, err := vhostuser.Open(ctx, b.path, vhostuser.Options{Server: true}); !isInUse(err) {
			t.Errorf("the second server: %T %v", err, err)
		}
		b.connect()
	})
	newSteps(t, open(t, b, vhostuser.Options{Server: true}), 2).run(t)

	b = newBackend(t)
	b.running.Go(b.connectAndClose)
	ctx, cancel := context.WithTimeout(context.Background(), short)
	defer cancel()
	_, err := vhostuser.Open(ctx, b.path, vhostuser.Options{Server: true})
	if !isOp("accept")(err) || !strings.Contains(err.Error(), "the last one: ") ||
		!strings.Contains(err.Error(), "the back end closed the connection") {
		t.Errorf("%T %v", err, err)
	}
}

// A socket that another process has put in place of ours is not removed.
func TestServerRemovesOnlyItsOwn(t *testing.T) {
	b := newBackend(t)
	b.running.Go(b.connect)
	d := open(t, b, vhostuser.Options{Server: true})
	if err := os.Remove(b.path); err != nil {
		t.Fatal(err)
	}
	leftOver(t, b.path)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(b.path); err != nil {
		t.Error(err)
	}
}

// While a port without a back end listens, connections that hang up, that are silent
// or that speak another protocol come first: the good back end behind them is served,
// and after those that hang up at once it is. The same holds for the first back end.
func TestServerTakesTheNextCaller(t *testing.T) {
	hangUp := func(c net.Conn) { _ = c.Close() }
	for name, c := range map[string]struct {
		count int
		bad   func(net.Conn) // a connection
	}{
		"hang up":  {100, hangUp},
		"silent":   {2, func(net.Conn) {}},
		"babble":   {20, func(c net.Conn) { _, _ = c.Write([]byte("GET / HTTP/1.1\r\n\r\n")) }},
		"half":     {2, func(c net.Conn) { _, _ = c.Write([]byte{1, 0, 0}) }},
		"refusals": {20, func(c net.Conn) { _, _ = c.Read(make([]byte, 12)); _ = c.Close() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBackend(t)
			callers := func() {
				for range c.count {
					conn := b.dial()
					t.Cleanup(func() { _ = conn.Close() })
					if name == "refusals" { // it reads first, which waits
						go c.bad(conn)
					} else {
						c.bad(conn)
					}
				}
				b.connect()
			}
			log := new(syncBuffer)
			b.running.Go(callers)
			timeout := 300 * time.Millisecond
			if name == "hang up" { // none of these is waited for
				timeout = time.Hour
			}
			d := open(t, b, vhostuser.Options{Server: true, Timeout: timeout,
				Logger: slog.New(slog.NewTextHandler(log, nil))})
			s := newSteps(t, d, 2)
			s.run(t)
			// The kernel has them all wait before the first is taken.
			hold := make(chan struct{})
			b.running.Go(func() {
				callers()
				close(hold)
			})
			<-hold
			b.peers[0].conn.Close()
			await(t, d, transport.Disconnected)
			await(t, d, transport.Reconnected)
			s.run(t)
			if n := strings.Count(log.String(), "no connection yet"); n == 0 || n > 16 {
				t.Errorf("that there is no connection is logged %d times", n)
			}
			if !strings.Contains(log.String(), "waiting for a back end to connect") {
				t.Errorf("what is waited for is not logged: %s", log)
			}
		})
	}
}

// A wait that is interrupted, and one that is bounded, says how long it was.
func TestServerInterrupted(t *testing.T) {
	b := newBackend(t)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	_, err := vhostuser.Open(ctx, b.path, vhostuser.Options{Server: true})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "no back end connected within ") {
		t.Errorf("%T %v", err, err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err = vhostuser.Open(ctx, b.path, vhostuser.Options{Server: true})
	if !errors.Is(err, context.DeadlineExceeded) ||
		!strings.Contains(err.Error(), "no back end connected within ") {
		t.Errorf("%T %v", err, err)
	}
}
