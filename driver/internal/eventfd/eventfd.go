// Package eventfd notifies another process, which has the same eventfd, without ever
// waiting for it.
//
// Both processes share the flags of an eventfd and its counter. A peer that clears
// O_NONBLOCK and fills the counter blocks the next write, for as long as it likes. The
// writer cannot rule that out: a flag that is set before each write can be cleared
// before the write, Linux has no RWF_NOWAIT for writes to an eventfd, and an eventfd
// cannot be opened again to have flags of one's own. A thread that writes in place of
// the writer would cost a wake-up for each notification.
//
// So a notification stays the one system call that it is, and a [Guard] looks at the
// eventfds some times a second. A counter of 64 bits that is full is the work of a
// hostile peer: the guard reads it, which unblocks the write, and says so.
package eventfd

import (
	"encoding/binary"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// New returns an eventfd with a counter of 0.
func New() (int, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return -1, os.NewSyscallError("eventfd2", err)
	}
	return fd, nil
}

// one is what adds 1 to a counter.
var one = binary.NativeEndian.AppendUint64(nil, 1)

// Add adds 1 to the counter. A counter that is full is no error, because the peer is
// notified already; the [Guard] reports it. The system call orders all earlier stores
// before it: a peer that woke without seeing them would go back to sleep.
func Add(fd int) error {
	_, err := unix.Write(fd, one)
	if err == nil || err == unix.EAGAIN {
		return nil
	}
	return os.NewSyscallError("write", err)
}

// OpenPipe opens the pipe fd once more, for writing, so that the flags belong to this
// process alone and no write can wait.
func OpenPipe(fd int) (int, error) {
	name := "/proc/self/fd/" + strconv.Itoa(fd)
	own, err := unix.Open(name, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open %s: %w", name, err)
	}
	return own, nil
}

// drain resets the counter, and reports whether that may help. The read waits if the
// peer clears O_NONBLOCK and resets the counter itself at that moment; then no write
// waits for room.
func drain(fd int) bool {
	var count [8]byte
	_ = unix.SetNonblock(fd, true)
	_, err := unix.Read(fd, count[:])
	return err == nil || err == unix.EAGAIN || err == unix.EINTR
}

// isFull reports whether a write to fd would find no room.
func isFull(fd int) bool {
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	n, err := unix.Poll(poll, 0)
	return err == nil && (n == 0 || poll[0].Revents&unix.POLLOUT == 0)
}
