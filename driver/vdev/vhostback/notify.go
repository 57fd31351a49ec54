package vhostback

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// canNotify tells whether fd is an eventfd, or, where one side only writes and
// the other only reads, a pipe, which some use in its place. Where that cannot be
// found out it says yes.
func canNotify(fd int, pipes bool) bool {
	name, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	return err != nil || name == "anon_inode:[eventfd]" || pipes && strings.HasPrefix(name, "pipe:")
}

// calls are the eventfds by which the device interrupts the driver. It
// implements vdev.Interrupts.
type calls struct {
	failed func() // called when the device may have failed
	armed  []atomic.Bool

	mu  sync.Mutex
	fds []int
}

func newCalls(rings int, failed func()) *calls {
	c := &calls{failed: failed, armed: make([]atomic.Bool, rings), fds: make([]int, rings)}
	for i := range c.fds {
		c.fds[i] = -1
	}
	return c
}

// set replaces the eventfd of ring i, -1 for none, and takes it over. The new
// one is signalled: an interrupt may have been due while there was none.
func (c *calls) set(i, fd int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fds[i] >= 0 {
		_ = unix.Close(c.fds[i])
	}
	c.fds[i] = fd
	c.armed[i].Store(fd >= 0)
	if fd >= 0 {
		signal(fd)
	}
}

// Masked implements vdev.Interrupts.
func (c *calls) Masked(i int) bool { return !c.armed[i].Load() }

// Queue implements vdev.Interrupts.
func (c *calls) Queue(i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fds[i] >= 0 {
		signal(c.fds[i])
	}
}

// Config implements vdev.Interrupts. A peer does not learn of changes of the
// configuration, but a failure is one.
func (c *calls) Config() { c.failed() }

// signal adds 1 to an eventfd. The one way in which that fails is a counter at
// its limit, which says it all already.
func signal(fd int) {
	var one [8]byte
	native.PutUint64(one[:], 1)
	_, _ = unix.Write(fd, one[:])
}

// kicks waits for all eventfds by which the driver notifies the device, in one
// goroutine. It never reads them, which a peer could make wait: each write to
// one is an edge, and edges are reported.
type kicks struct {
	epoll *os.File
	fd    int
	done  chan struct{}

	mu  sync.Mutex
	fds []int
}

// newKicks calls kicked for each notification, until close.
func newKicks(rings int, kicked func(ring int)) (*kicks, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	k := &kicks{fd: fd, done: make(chan struct{}), fds: make([]int, rings)}
	for i := range k.fds {
		k.fds[i] = -1
	}
	// An epoll descriptor can itself be waited for, so that no thread is spent.
	k.epoll = os.NewFile(uintptr(fd), "epoll")
	go k.run(kicked)
	return k, nil
}

func (k *kicks) run(kicked func(int)) {
	defer close(k.done)
	conn, err := k.epoll.SyscallConn()
	if err != nil {
		return
	}
	var events [32]unix.EpollEvent
	for {
		n := 0
		err := conn.Read(func(fd uintptr) bool {
			n, _ = unix.EpollWait(int(fd), events[:], 0)
			return n > 0
		})
		if err != nil {
			return // closed
		}
		for _, e := range events[:max(n, 0)] {
			kicked(int(e.Fd))
		}
	}
}

// set replaces the eventfd of ring i, -1 for none. It takes fd over, also when
// it fails.
func (k *kicks) set(i, fd int) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if old := k.fds[i]; old >= 0 {
		// The peer still has it open, so that closing it here is not enough.
		_ = unix.EpollCtl(k.fd, unix.EPOLL_CTL_DEL, old, nil)
		_ = unix.Close(old)
		k.fds[i] = -1
	}
	if fd < 0 {
		return nil
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(i)}
	if err := unix.EpollCtl(k.fd, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		_ = unix.Close(fd)
		return err
	}
	k.fds[i] = fd
	return nil
}

func (k *kicks) close() {
	for i := range k.fds {
		_ = k.set(i, -1)
	}
	_ = k.epoll.Close()
	<-k.done
}
