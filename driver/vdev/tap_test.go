package vdev_test

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// inNamespace runs f on a thread with a network namespace of its own. The thread
// ends with it, and the namespace with the last descriptor from it.
func inNamespace(t *testing.T, f func() error) {
	t.Helper()
	if os.Getuid() != 0 && os.Getenv("CI") == "" { // in CI it fails instead
		t.Skip("a network namespace takes root; CI has it")
	}
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread is thrown away
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			result <- err
			return
		}
		result <- f()
	}()
	if err := <-result; err != nil {
		t.Fatal(err)
	}
}

// packetSocket opens a socket that sees and sends all frames of an interface,
// which it takes up.
func packetSocket(name string) (int, error) {
	s, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0x0300) // ETH_P_ALL in network order
	if err != nil {
		return -1, err
	}
	request, err := unix.NewIfreq(name)
	if err != nil {
		return -1, err
	}
	request.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, request); err != nil {
		return -1, err
	}
	if err := unix.IoctlIfreq(s, unix.SIOCGIFINDEX, request); err != nil {
		return -1, err
	}
	if err := unix.Bind(s, &unix.SockaddrLinklayer{Protocol: 0x0300, Ifindex: int(request.Uint32())}); err != nil {
		return -1, err
	}
	return s, unix.SetsockoptTimeval(s, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10})
}

// Frames pass both ways between a driver and a TAP interface, and the device
// sleeps in between.
func TestTap(t *testing.T) {
	var tap *wire.TAPDevice
	var socket int
	inNamespace(t, func() (err error) {
		if tap, err = wire.TAP("vdevtest0"); err != nil {
			return err
		}
		socket, err = packetSocket(tap.Name())
		return err
	})
	defer unix.Close(socket)
	g := newGuest(t, vdev.Config{Backend: tap, IdleTurns: 2}, 4<<20)
	rx, tx := g.up(packed, 64)
	p := newPort(g, 0, 1, rx, tx, 64, 2048)
	p.refill()
	g.d.Start()
	b := make([]byte, 4096)
	for i, f := range frametest.Series(0, 200) {
		f[0], f[6], f[12] = 0xff, 2, 0x88 // not IP: the kernel itself leaves them alone
		f[13] = 0xb5
		if !p.send(f) {
			t.Fatal("no room")
		}
		for {
			n, err := unix.Read(socket, b)
			if err != nil {
				t.Fatalf("frame %d did not come out of the interface: %v, %+v", i, err, g.d.Stats())
			}
			if bytes.Equal(b[:n], f) {
				break // others are the kernel's own
			}
		}
		f[6]++
		if _, err := unix.Write(socket, f); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the frame arrives", func() bool {
			for got := p.recv(); got != nil; got = p.recv() {
				if bytes.Equal(got, f) {
					return true
				}
			}
			p.refill()
			return false
		})
		p.refill()
	}
	g.clean()
}

// A TAP backend that is closed while its reader waits for room does not hang,
// and an interface that it made is gone afterwards.
func TestTapClose(t *testing.T) {
	var tap *wire.TAPDevice
	var socket int
	inNamespace(t, func() (err error) {
		if tap, err = wire.TAP("vdevtest%d"); err != nil {
			return err
		}
		socket, err = packetSocket(tap.Name())
		return err
	})
	defer unix.Close(socket)
	d, err := vdev.New(vdev.Config{Backend: tap}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 1500 {
		if _, err := unix.Write(socket, make([]byte, 100)); err != nil && !errors.Is(err, unix.ENOBUFS) {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if err := d.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	if _, err := unix.Write(socket, make([]byte, 100)); err == nil {
		t.Error("the interface is still there")
	}
}

func TestTapErrors(t *testing.T) {
	for _, name := range []string{"", "longer than any interface", "lo"} {
		var err error
		inNamespace(t, func() error {
			_, err = wire.TAP(name)
			return nil
		})
		var e *wire.Error
		if !errors.As(err, &e) || e.Name != name {
			t.Errorf("%q: %v", name, err)
		}
	}
}
