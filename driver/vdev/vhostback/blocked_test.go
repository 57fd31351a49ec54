package vhostback_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/vhostback"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/test/fdtest"
)

// blockWrites makes writes to an eventfd block for the peer and the device: it fills
// the counter and clears O_NONBLOCK.
func blockWrites(t *testing.T, fd int) {
	t.Helper()
	fdtest.Signals(fd)
	if _, err := unix.Write(fd, numbers(^uint64(1))); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
}

// A peer that blocks the device in an interrupt delays neither the end of its
// connection, which follows, nor the next peer nor the end of the back end.
func TestBlockedCall(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(f *front)
	}{
		{"the peer stays", func(f *front) {
			var e *vhostback.Error
			if err := f.over(); !errors.As(err, &e) || e.Field != "ring" || e.Value != 1 {
				t.Errorf("the connection ended with %v", err)
			}
		}},
		{"the peer hangs up", func(f *front) {
			_ = f.socket.Close()
			_ = f.over() // which of both is noticed first is open
		}},
		{"the back end is closed", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFront(t, vhostback.Config{Device: vdev.Config{Backend: wire.Null()}})
			f.hello(noStatus, bits(bitVersion1))
			f.share()
			tx := newRing(f, 0, 16)
			kickFD, callFD := fdtest.Eventfd(t), fdtest.Eventfd(t)
			f.place(1, tx, 0, kickFD, callFD)
			f.send(setVringEnable, words(1, 1))
			blockWrites(t, callFD)
			for range 3 {
				tx.add(guestBase+buffer(0), header+60, 0)
			}
			kick(kickFD)
			f.until("a packet is used", func() bool { _, _, ok := tx.used(); return ok })
			if c.end != nil {
				c.end(f)
				f.connect()
				f.fence()
			}
			closesInTime(t, f.back)
		})
	}
}

// A pipe in place of a call eventfd that is full, and whose flags the peer changes, is
// written to without waiting.
func TestFullPipeAsCall(t *testing.T) {
	f := newFront(t, vhostback.Config{Device: vdev.Config{Backend: wire.Null()}})
	f.hello(noStatus, bits(bitVersion1))
	f.share()
	tx := newRing(f, 0, 16)
	kickFD, pipe := fdtest.Eventfd(t), fullPipe(t)
	f.place(1, tx, 0, kickFD, pipe)
	f.send(setVringEnable, words(1, 1))
	if err := unix.SetNonblock(pipe, false); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		tx.add(guestBase+buffer(0), header+60, 0)
		kick(kickFD)
		f.until("a packet is used", func() bool { _, _, ok := tx.used(); return ok })
	}
	_ = f.socket.Close()
	if err := f.over(); err != nil {
		t.Error(err)
	}
	closesInTime(t, f.back)
}

// An eventfd that reports failures, or a pipe in its place, is blocked.
func TestBlockedFault(t *testing.T) {
	for _, pipe := range []bool{false, true} {
		t.Run(fmt.Sprintf("pipe=%v", pipe), func(t *testing.T) {
			f := newFront(t, vhostback.Config{Device: vdev.Config{Backend: wire.Null(), Hold: true}})
			_, tx := f.up(bits(bitVersion1), 16)
			fd := fdtest.Eventfd(t)
			if pipe {
				fd = fullPipe(t)
			}
			f.send(setVringErr, numbers(1), fd)
			if pipe {
				_ = unix.SetNonblock(fd, false)
			} else {
				blockWrites(t, fd)
			}
			tx.add(0xdead_0000_0000, header+60, 0) // outside of all memory
			if err := f.over(); err == nil {
				t.Error("the device did not fail")
			}
			closesInTime(t, f.back)
		})
	}
}

// fullPipe returns the write end of a full pipe.
func fullPipe(t *testing.T) int {
	t.Helper()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = unix.Close(fds[0])
		_ = unix.Close(fds[1])
	})
	for {
		if _, err := unix.Write(fds[1], make([]byte, 4096)); err != nil {
			return fds[1]
		}
	}
}

func closesInTime(t *testing.T, b *vhostback.Backend) {
	t.Helper()
	closed := make(chan error, 1)
	go func() { closed <- b.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the back end does not close")
	}
}
