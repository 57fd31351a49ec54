package wire

import (
	"errors"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
)

// TAPDevice is a wire that ends in a TAP interface of this machine: frames that
// the driver transmits arrive there, frames that the machine sends there are
// received by the driver.
type TAPDevice struct {
	name    string
	fd      int // of file, for writing without waiting
	file    *os.File
	in      fifo
	room    chan struct{} // rung when in has room again
	done    chan struct{} // closed when the reader has ended
	dropped atomic.Uint64
}

func tapError(name string, err error) error {
	e := &Error{Kind: "TAP interface", Name: name, Err: err}
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		e.Remedy = "it takes root (CAP_NET_ADMIN) or an interface that root made for this user"
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		e.Remedy = "/dev/net/tun is missing: modprobe tun"
	case errors.Is(err, unix.EBUSY):
		e.Remedy = "another program has it open"
	case errors.Is(err, unix.EINVAL):
		e.Remedy = "the name is taken by something else, or the interface was made with multi_queue"
	}
	return e
}

// TAP opens a TAP interface: an existing one, or a new one that disappears when
// the device is closed. It does not change addresses or state of the interface,
// which has to be up for frames to pass. Neither packet information nor a virtio
// header comes with a frame. An error is an *[Error].
func TAP(ifname string) (*TAPDevice, error) {
	request, err := unix.NewIfreq(ifname)
	if err != nil || ifname == "" {
		return nil, tapError(ifname, errors.New("not the name of an interface: 1 to 15 characters"))
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, tapError(ifname, err)
	}
	request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		_ = unix.Close(fd)
		return nil, tapError(ifname, err)
	}
	t := &TAPDevice{name: request.Name(), fd: fd, room: make(chan struct{}, 1), done: make(chan struct{})}
	// Only when it is attached to its interface can the runtime wait for the
	// descriptor.
	t.file = os.NewFile(uintptr(fd), "/dev/net/tun")
	return t, nil
}

// Name returns the name of the interface, as the kernel completed it.
func (t *TAPDevice) Name() string { return t.name }

// Dropped returns how many transmitted frames the kernel did not take, usually
// because the interface is down.
func (t *TAPDevice) Dropped() uint64 { return t.dropped.Load() }

// Attach implements [vdev.Backend].
func (t *TAPDevice) Attach(wake func()) error {
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
func (t *TAPDevice) read() {
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

// Transmit implements [vdev.Backend].
func (t *TAPDevice) Transmit(_ int, frames [][]byte) int {
	for _, f := range frames {
		if _, err := unix.Write(t.fd, f); err != nil {
			t.dropped.Add(1)
		}
	}
	return len(frames)
}

// Receive implements [vdev.Backend].
func (t *TAPDevice) Receive(_ int, frames [][]byte) int { return t.in.get(frames) }

// Traits implements [vdev.Backend].
func (t *TAPDevice) Traits() vdev.Traits { return vdev.Traits{} }

// Close implements [vdev.Backend]. An interface that TAP made disappears.
func (t *TAPDevice) Close() error {
	attached := t.in.writer.Swap(nil) != nil
	err := t.file.Close()
	if attached {
		close(t.room)
		<-t.done
	}
	return err
}
