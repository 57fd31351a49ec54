package vhostuser_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vhostuser"
	"github.com/virtio-pmd/virtio-pmd/test/fdtest"
)

// leftOver creates the file of a socket on which no process listens.
func leftOver(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// Sockets that cannot be used, in either role.
func TestSockets(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	leftOver(t, at("stale"))
	if err := os.WriteFile(at("file"), []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	busy, err := net.Listen("unix", at("busy"))
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	grams, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: at("grams"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer grams.Close()

	for _, c := range []struct {
		name, path string
		server     bool
		is         func(error) bool
		cause      error
	}{
		{"missing", at("missing"), false, isOp("connect"), fs.ErrNotExist},
		{"refused", at("stale"), false, isOp("connect"), unix.ECONNREFUSED},
		{"no socket", at("file"), false, isOp("connect"), unix.ECONNREFUSED},
		{"datagrams", at("grams"), false, isOp("connect"), unix.EPROTOTYPE},
		{"long path", "/" + strings.Repeat("x", 107), false, isOp("open"), nil},
		{"long path, server", "/" + strings.Repeat("x", 107), true, isOp("open"), nil},
		{"no path", "", false, isOp("open"), nil},
		{"in use", at("busy"), true, isInUse, nil},
		{"in the way", at("file"), true, isListen, unix.EADDRINUSE},
		{"in use for datagrams", at("grams"), true, isInUse, nil},
		{"no directory", at("no/where"), true, isListen, fs.ErrNotExist},
		{"no back end connects", at("new"), true, isOp("accept"), context.DeadlineExceeded},
		{"no back end connects, stale", at("stale"), true, isOp("accept"),
			context.DeadlineExceeded},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			before := fdtest.Count(t)
			ctx, cancel := context.WithTimeout(context.Background(), short)
			defer cancel()
			_, err := vhostuser.Open(ctx, c.path, vhostuser.Options{Server: c.server})
			if !c.is(err) || c.cause != nil && !errors.Is(err, c.cause) {
				t.Errorf("%T %v", err, err)
			}
			if err != nil && (!strings.Contains(err.Error(), c.path) ||
				!strings.Contains(err.Error(), "; ")) {
				t.Errorf("no path or no remedy in %q", err)
			}
			if after := fdtest.Count(t); after > before {
				t.Errorf("%d descriptors are open, there were %d", after, before)
			}
		})
	}
	if text, err := os.ReadFile(at("file")); err != nil || string(text) != "precious" {
		t.Errorf("the file that was in the way: %q %v", text, err)
	}
	for _, name := range []string{"new", "stale"} {
		if _, err := os.Lstat(at(name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the socket %s was left behind (%v)", name, err)
		}
	}
}

// A path of 107 bytes is just right.
func TestLongestPath(t *testing.T) {
	b := newBackend(t)
	dir, err := os.MkdirTemp("/tmp", "v")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	b.path = filepath.Join(dir, strings.Repeat("x", 107-len(dir)-1))
	b.listen()
	open(t, b, vhostuser.Options{})
}

func TestOptions(t *testing.T) {
	for _, o := range []vhostuser.Options{
		{Queues: -1}, {Queues: 129}, {MTU: 67}, {MTU: 65536}, {MAC: make(net.HardwareAddr, 8)},
	} {
		if _, err := tryOpen("s", o); !isOp("open")(err) {
			t.Errorf("%+v: %T %v", o, err, err)
		}
	}
}

// reconnects has a back end disconnect and reconnect several times.
func reconnects(t *testing.T, d *vhostuser.Device, b *backend, again func()) {
	s := newSteps(t, d, 2, virtioPacked)
	s.run(t)
	b.messages()
	before := fdtest.Count(t)
	for range 7 { // the pauses between them grow
		b.drop()
		await(t, d, transport.Disconnected)
		again()
		await(t, d, transport.Reconnected)
		s.run(t)
		if log := b.messages(); len(log) != 26 || log[0] != "SET_OWNER" ||
			log[10] != "SET_MEM_TABLE 1 regions" {
			t.Fatalf("the new connection received %q", log)
		}
	}
	// The back end closes its own in another goroutine.
	deadline := time.Now().Add(time.Minute)
	for fdtest.Count(t) > before {
		if time.Now().After(deadline) {
			t.Fatalf("%d descriptors are open, there were %d", fdtest.Count(t), before)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestReconnectClient(t *testing.T) {
	b := newBackend(t).listen()
	reconnects(t, open(t, b, vhostuser.Options{}), b, func() {})
}

func TestReconnectServer(t *testing.T) {
	b := newBackend(t)
	b.running.Go(b.connect)
	reconnects(t, open(t, b, vhostuser.Options{Server: true}), b, b.connect)
}

// While there is no back end each call says so, and a reset has nothing to do.
// Memory that is mapped then is known to the next one.
func TestWithoutConnection(t *testing.T) {
	b := newBackend(t)
	b.once = true
	b.listen()
	d := open(t, b, vhostuser.Options{})
	s := newSteps(t, d, 2)
	s.run(t)
	b.drop()
	await(t, d, transport.Disconnected)
	if err := d.Reset(context.Background()); err != nil {
		t.Error(err)
	}
	other := allocate(t)
	for i, call := range []func() error{
		func() error { _, err := d.Status(); return err },
		func() error { return d.SetStatus(0) },
		func() error { _, err := d.DeviceFeatures(); return err },
		func() error { return d.SetDriverFeatures(s.accept) },
		func() error { return d.CheckFeatures(s.accept) },
		func() error { return d.ReadConfig(0, 1, make([]byte, 6)) },
		func() error { _, err := d.Queues(); return err },
		func() error { _, err := d.QueueSize(0); return err },
		func() error { _, err := d.SetQueue(0, s.areas(0)); return err },
		func() error { return d.SetQueuePairs(1) },
	} {
		if err := call(); !errors.Is(err, transport.ErrDisconnected) {
			t.Errorf("call %d: %T %v", i, err, err)
		}
	}
	if _, err := d.MapDMA(other); err != nil {
		t.Error(err)
	}
	b.once = false
	b.listen()
	await(t, d, transport.Reconnected)
	b.messages()
	s.run(t)
	found := false
	for _, line := range b.messages() {
		found = found || line == "SET_MEM_TABLE 2 regions"
	}
	if !found {
		t.Error("the memory was not shared")
	}
}

// Every call on a device that was closed fails with os.ErrClosed.
func TestClosed(t *testing.T) {
	b := newBackend(t).listen()
	d := open(t, b, vhostuser.Options{})
	s := newSteps(t, d, 2)
	s.run(t)
	for range 2 {
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, open := <-d.Events(); open {
		t.Error("an event after the end")
	}
	if _, err := d.Status(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("%T %v", err, err)
	}
	if _, err := d.MapDMA(s.mem); !errors.Is(err, os.ErrClosed) {
		t.Errorf("%T %v", err, err)
	}
}

// Close does not wait for a back end to come back, nor for one that does not answer.
func TestCloseAtAnyTime(t *testing.T) {
	for _, after := range []time.Duration{0, time.Millisecond, 15 * time.Millisecond,
		100 * time.Millisecond} {
		b := newBackend(t)
		b.once = true
		b.listen()
		d := open(t, b, vhostuser.Options{})
		b.drop()
		time.Sleep(after)
		began := time.Now()
		if err := d.Close(); err != nil || time.Since(began) > time.Minute {
			t.Errorf("after %v: %v, it took %v", after, err, time.Since(began))
		}
	}
}
