package vhostback

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// kicks waits for all eventfds by which the driver notifies the device, in one
// goroutine. It never reads them, because a peer could make that block: epoll
// reports each write as an edge.
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
	// The runtime can wait for an epoll descriptor without a thread for it.
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

// set replaces the eventfd of ring i, -1 for none. It owns fd from now on, also when
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
