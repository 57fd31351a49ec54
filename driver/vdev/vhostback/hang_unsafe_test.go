package vhostback_test

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/vhostback"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/test/fdtest"
)

// hangs makes each access of the back end to a page of the shared memory that is not
// there yet wait, as on a network disk that hangs, until release. await returns when one does.
func hangs(t *testing.T, f *front) (await, release func()) {
	t.Helper()
	fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|unix.O_NONBLOCK, 0, 0)
	if errno != 0 {
		t.Fatal(os.NewSyscallError("userfaultfd", errno))
	}
	released := false
	release = func() {
		if !released {
			released = true
			_ = unix.Close(int(fd))
		}
	}
	t.Cleanup(release)
	const ioctlAPI, ioctlRegister = 0xc018aa3f, 0xc020aa00
	api := [3]uint64{0xaa}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, ioctlAPI, uintptr(unsafe.Pointer(&api))); errno != 0 {
		t.Fatal(os.NewSyscallError("UFFDIO_API", errno))
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	defer maps.Close()
	own := uint64(uintptr(unsafe.Pointer(&f.mem[0])))
	found := false
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var start, end uint64
		_, _ = fmt.Sscanf(lines.Text(), "%x-%x", &start, &end)
		if !strings.Contains(lines.Text(), "memfd:front") || start == own || end-start != shared {
			continue
		}
		const missing = 1
		register := [4]uint64{start, end - start, missing}
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, ioctlRegister,
			uintptr(unsafe.Pointer(&register))); errno != 0 {
			t.Fatal(os.NewSyscallError("UFFDIO_REGISTER", errno))
		}
		found = true
	}
	if !found {
		t.Fatal("the back end has not mapped the memory")
	}
	await = func() {
		t.Helper()
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for deadline := time.Now().Add(time.Minute); poll[0].Revents == 0; {
			if _, err := unix.Poll(poll, 1000); err != nil && err != unix.EINTR || time.Now().After(deadline) {
				t.Fatalf("the back end does not come to the page: %v", err)
			}
		}
	}
	return await, release
}

// hole is where in the shared memory nothing was written yet.
const hole = 0x80000

// Pages of shared memory never come. The next peer is served nevertheless, statistics can
// be read, the garbage collector goes on, and Close returns.
func TestMemoryThatNeverComes(t *testing.T) {
	for name, block := range map[string]func(t *testing.T, f *front){
		"ring": func(t *testing.T, f *front) {
			ring := newRing(f, hole, 16)
			f.need = false
			f.place(1, ring, 0, -1, -1)
		},
		"buffer": func(t *testing.T, f *front) {
			clear(f.mem[:4096]) // the ring is there
			tx := newRing(f, 0, 16)
			kickFD := fdtest.Eventfd(t)
			f.place(1, tx, 0, kickFD, -1)
			f.send(setVringEnable, words(1, 1))
			tx.add(guestBase+hole, header+60, 0)
			kick(kickFD)
		},
	} {
		for _, end := range []string{"hangs up", "stays", "close"} {
			t.Run(name+"/"+end, func(t *testing.T) {
				lost := make(chan struct{}, 1)
				f := newFront(t, vhostback.Config{Device: vdev.Config{Backend: wire.Null()},
					Timeout: 300 * time.Millisecond, Lost: func() { lost <- struct{}{} }})
				f.hello(noStatus, bits(bitVersion1))
				f.share()
				await, release := hangs(t, f)
				block(t, f)
				await()
				_ = f.back.Counters()
				runtime.GC()
				switch end {
				case "hangs up":
					_ = f.socket.Close()
				case "close":
					closesInTime(t, f.back)
				}
				select {
				case <-lost:
				case <-time.After(time.Minute):
					t.Fatal("the peer is not given up")
				}
				if err := f.over(); err == nil {
					t.Error("the connection ended without an error")
				}
				if end != "close" {
					next := &front{t: t, back: f.back, path: f.path, ended: f.ended}
					next.fd, next.mem = sharedFile(t, shared)
					next.connect()
					sends(t, next)
					before := f.back.Counters().TxPackets
					release() // the thread that was lost comes back
					sends(t, next)
					if n := f.back.Counters().TxPackets; before != 1 || n != 2 {
						t.Errorf("%d, then %d packets", before, n)
					}
					_ = next.socket.Close()
					if err := f.over(); err != nil {
						t.Error(err)
					}
					closesInTime(t, f.back)
				}
			})
		}
	}
}

// The goroutine that calls Poll is lost in such memory; another one goes on.
func TestPollThatNeverReturns(t *testing.T) {
	lost := make(chan struct{}, 1)
	f := newFront(t, vhostback.Config{Device: vdev.Config{Backend: wire.Null()}, Stepped: true,
		Lost: func() { lost <- struct{}{} }})
	f.hello(noStatus, bits(bitVersion1))
	f.share()
	await, release := hangs(t, f)
	clear(f.mem[:4096])
	tx := newRing(f, 0, 16)
	f.place(1, tx, 0, -1, -1)
	f.send(setVringEnable, words(1, 1))
	tx.add(guestBase+hole, header+60, 0)
	var first sync.WaitGroup
	first.Go(func() { f.back.Poll() })
	await()
	_ = f.socket.Close()
	select {
	case <-lost:
	case <-time.After(time.Minute):
		t.Fatal("the peer is not given up")
	}
	_ = f.over()
	next := &front{t: t, back: f.back, path: f.path, ended: f.ended, stepped: true}
	next.fd, next.mem = sharedFile(t, shared)
	next.connect()
	sends(t, next)
	release()
	first.Wait()
	closesInTime(t, f.back)
}

// sends sets up a transmit queue if there is none, sends a packet and waits until it is
// used.
func sends(t *testing.T, f *front) {
	t.Helper()
	f.hello(noStatus, bits(bitVersion1))
	f.share()
	tx := newRing(f, 0, 16)
	clear(f.mem)
	kickFD := fdtest.Eventfd(t)
	f.place(1, tx, 0, kickFD, -1)
	f.send(setVringEnable, words(1, 1))
	tx.add(guestBase+buffer(0), header+60, 0)
	kick(kickFD)
	f.until("a packet is used", func() bool { _, _, ok := tx.used(); return ok })
	f.ask(getVringBase, words(1, 0), 8)
}
