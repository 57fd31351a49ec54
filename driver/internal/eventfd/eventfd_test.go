package eventfd

import (
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const limit = time.Minute

func newEventfd(t *testing.T) int {
	t.Helper()
	fd, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// block does what a hostile peer does: it fills the counter and clears O_NONBLOCK.
func block(t *testing.T, fd int) {
	t.Helper()
	_, _ = unix.Read(fd, make([]byte, 8))
	full := binary.NativeEndian.AppendUint64(nil, 1<<64-2)
	if _, err := unix.Write(fd, full); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
}

// returns checks that do returns.
func returns(t *testing.T, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatalf("%s does not return", what)
	}
}

// A write to a counter that is full, without O_NONBLOCK, returns, each time.
func TestGuardUnblocksAWrite(t *testing.T) {
	var g Guard
	defer g.Close()
	fd := newEventfd(t)
	var full atomic.Int32
	g.Watch(fd, func() { full.Add(1) })
	for range 3 {
		block(t, fd)
		returns(t, "Add", func() {
			if err := Add(fd); err != nil {
				t.Error(err)
			}
		})
	}
	if full.Load() == 0 {
		t.Error("the guard did not say that the counter was full")
	}
	if !g.Forget(fd) {
		t.Error("the eventfd is in use")
	}
}

// An eventfd whose peer is honest is left alone, however far its counter is.
func TestGuardLeavesACounterAlone(t *testing.T) {
	var g Guard
	defer g.Close()
	fd := newEventfd(t)
	g.Watch(fd, func() { t.Error("the counter is not full") })
	for _, add := range []uint64{1, 1 << 40, 1<<64 - 4 - 1<<40} {
		if _, err := unix.Write(fd, binary.NativeEndian.AppendUint64(nil, add)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * period)
	}
	var count [8]byte
	if _, err := unix.Read(fd, count[:]); err != nil {
		t.Fatal(err)
	}
	if n := binary.NativeEndian.Uint64(count[:]); n != 1<<64-3 {
		t.Errorf("the counter is %#x", n)
	}
}

// A peer that blocks, fills and drains as fast as it can holds up neither writes nor
// Forget for good.
func TestGuardAgainstAPeerThatInterferes(t *testing.T) {
	var g Guard
	fd := newEventfd(t)
	g.Watch(fd, func() {})
	stop := make(chan struct{})
	var peer sync.WaitGroup
	peer.Go(func() {
		full := binary.NativeEndian.AppendUint64(nil, 1<<64-2)
		for {
			select {
			case <-stop:
				return
			default:
			}
			_ = unix.SetNonblock(fd, true)
			_, _ = unix.Read(fd, make([]byte, 8))
			_, _ = unix.Write(fd, full)
			_ = unix.SetNonblock(fd, false)
			time.Sleep(50 * time.Microsecond)
		}
	})
	returns(t, "a series of writes", func() {
		for range 20 {
			if err := Add(fd); err != nil {
				t.Error(err)
			}
		}
	})
	close(stop)
	returns(t, "the peer", peer.Wait)
	returns(t, "Forget", func() {
		if !g.Forget(fd) {
			t.Error("the eventfd is in use")
		}
	})
	g.Close()
}

// A drain that waits, because the peer drained first, is woken by Forget.
func TestForgetEndsADrainThatWaits(t *testing.T) {
	var g Guard
	defer g.Close()
	fd := newEventfd(t)
	entered := make(chan struct{})
	g.Watch(fd, func() {
		_ = unix.SetNonblock(fd, true)
		_, _ = unix.Read(fd, make([]byte, 8))
		close(entered)
	})
	block(t, fd)
	<-entered
	g.mu.Lock()
	f := g.files[0]
	g.mu.Unlock()
	for f.draining.Load() { // it found the counter at 0
		time.Sleep(time.Millisecond)
	}
	f.draining.Store(true)
	_ = unix.SetNonblock(fd, false)
	go func() { // as drain does it, if O_NONBLOCK is cleared in the middle
		_, _ = unix.Read(fd, make([]byte, 8))
		f.draining.Store(false)
	}()
	returns(t, "Forget", func() {
		if !g.Forget(fd) {
			t.Error("the eventfd is in use")
		}
	})
}

// A pipe that was opened again has its own flags: it is full, and a write returns.
func TestOpenPipe(t *testing.T) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	own, err := OpenPipe(fds[1])
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(own)
	_ = unix.SetNonblock(fds[1], true)
	for {
		if _, err := unix.Write(fds[1], make([]byte, 4096)); err != nil {
			break
		}
	}
	_ = unix.SetNonblock(fds[1], false)
	returns(t, "Add", func() {
		if err := Add(own); err != nil {
			t.Error(err)
		}
	})
	unix.Close(fds[1])
	unix.Close(fds[0])
	if err := Add(own); !errors.Is(err, unix.EPIPE) {
		t.Errorf("without a reader: %v", err)
	}
}

func TestAddAllocatesNothing(t *testing.T) {
	fd := newEventfd(t)
	if n := testing.AllocsPerRun(100, func() { _ = Add(fd) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestAddReportsErrors(t *testing.T) {
	if err := Add(-1); !errors.Is(err, unix.EBADF) {
		t.Error(err)
	}
	if _, err := OpenPipe(-1); err == nil {
		t.Error("a pipe that is not open")
	}
	fd := newEventfd(t)
	if _, err := OpenPipe(fd); err == nil {
		t.Error("an eventfd was opened again: then it needs no guard")
	}
}
