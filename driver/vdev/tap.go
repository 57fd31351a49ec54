package vdev

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// TAP is a wire that ends in a TAP interface of this machine: what the driver
// transmits arrives there, what the machine sends out there the driver receives.
type TAP struct {
	name    string
	fd      int // of file, for writing without waiting
	file    *os.File
	in      fifo
	room    chan struct{} // rung when in has room again
	done    chan struct{} // closed when the reader has ended
	dropped atomic.Uint64
}

// TapError is a TAP interface that cannot be used.
type TapError struct {
	Interface string
	Err       error
}

func (e *TapError) Error() string {
	remedy := ""
	switch {
	case errors.Is(e.Err, unix.EPERM), errors.Is(e.Err, unix.EACCES):
		remedy = "; it takes root (CAP_NET_ADMIN) or an interface that root made for this user"
	case errors.Is(e.Err, unix.ENOENT), errors.Is(e.Err, unix.ENODEV), errors.Is(e.Err, unix.ENXIO):
		remedy = "; /dev/net/tun is missing: modprobe tun"
	case errors.Is(e.Err, unix.EBUSY):
		remedy = "; another program has it open"
	case errors.Is(e.Err, unix.EINVAL):
		remedy = "; the name is taken by something else, or the interface was made with multi_queue"
	}
	return fmt.Sprintf("TAP interface %q: %v%s", e.Interface, e.Err, remedy)
}

func (e *TapError) Unwrap() error { return e.Err }

// Tap opens a TAP interface: an existing one, or a new one that disappears when
// the device is closed. Addresses and state of the interface are left alone; it
// has to be up for anything to pass. Without packet information and without
// virtio header: a frame is a frame.
func Tap(ifname string) (*TAP, error) {
	request, err := unix.NewIfreq(ifname)
	if err != nil || ifname == "" {
		return nil, &TapError{ifname, errors.New("not the name of an interface: 1 to 15 characters")}
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, &TapError{ifname, err}
	}
	request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		_ = unix.Close(fd)
		return nil, &TapError{ifname, err}
	}
	t := &TAP{name: request.Name(), fd: fd, room: make(chan struct{}, 1), done: make(chan struct{})}
	// The descriptor is attached to its interface by now, so that the runtime
	// can wait on it.
	t.file = os.NewFile(uintptr(fd), "/dev/net/tun")
	return t, nil
}

// Name is the name of the interface, as the kernel completed it.
func (t *TAP) Name() string { return t.name }

// Dropped is how many transmitted frames the kernel did not take, most of them
// because the interface is down.
func (t *TAP) Dropped() uint64 { return t.dropped.Load() }

// Attach implements Backend.
func (t *TAP) Attach(wake func()) error {
	t.in.reader.Store(&wake)
	room := func() {
		select {
		case t.room <- struct{}{}:
		default:
		}
	}
	t.in.writer.Store(&room)
	go t.read()
	return nil
}

// read moves frames from the interface into t.in until the file is closed. When
// there is no room it stops reading; the kernel drops what comes then.
func (t *TAP) read() {
	defer close(t.done)
	b := make([]byte, maxFrame)
	for {
		n, err := t.file.Read(b)
		if errors.Is(err, unix.EIO) || errors.Is(err, os.ErrClosed) {
			return // the interface or the file is gone
		}
		if err != nil || n == 0 {
			return
		}
		frame := [][]byte{b[:n]}
		for t.in.put(frame) == 0 {
			if _, open := <-t.room; !open {
				return
			}
		}
	}
}

// Transmit implements Backend.
func (t *TAP) Transmit(_ int, frames [][]byte) int {
	for _, f := range frames {
		if _, err := unix.Write(t.fd, f); err != nil {
			t.dropped.Add(1)
		}
	}
	return len(frames)
}

// Receive implements Backend.
func (t *TAP) Receive(_ int, frames [][]byte) int { return t.in.get(frames) }

// Traits implements Backend.
func (t *TAP) Traits() Traits { return Traits{} }

// Close implements Backend. An interface that Tap made disappears.
func (t *TAP) Close() error {
	attached := t.in.writer.Swap(nil) != nil
	err := t.file.Close()
	if attached {
		close(t.room)
		<-t.done
	}
	return err
}
