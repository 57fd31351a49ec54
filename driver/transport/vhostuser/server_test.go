package vhostuser_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"testing"
	"time"

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
