package vhostback_test

import (
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
// connection nor Close.
func TestBlockedCall(t *testing.T) {
	for _, hangUp := range []bool{true, false} {
		t.Run(fmt.Sprintf("hang-up=%v", hangUp), func(t *testing.T) {
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
			time.Sleep(50 * time.Millisecond) // the device comes to its interrupt
			if hangUp {
				_ = f.socket.Close()
				if err := f.over(); err != nil {
					t.Error(err)
				}
				f.connect()
				f.fence()
			}
			closesInTime(t, f.back)
		})
	}
}

// The same for the eventfd that reports failures, and for a pipe in its place.
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
	case <-time.After(10 * time.Second):
		t.Fatal("the back end does not close")
	}
}
