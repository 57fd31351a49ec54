package wire

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
)

// TAPDevice is a wire that ends in a TAP interface of this machine: frames that
// the driver transmits arrive there, frames that the machine sends there are
// received by the driver. The link is up while the interface is, and gone when the
// interface was deleted.
//
// Large packets and incomplete checksums pass both ways, as far as the driver takes them:
// segmentation and checksums are the machine's then, which for packets that stay on it
// does neither.
type TAPDevice struct {
	name string
	fd   int // of file, for writing without waiting
	file *os.File
	in   fifo
	uso  bool          // the kernel knows the segmentation of UDP
	out  tapHeader     // of the frame that is transmitted
	room chan struct{} // rung when in has room again
	done chan struct{} // closed when the reader has ended

	lost, lostBytes atomic.Uint64

	// What FollowLink was given, and what was last said to it.
	linkMu sync.Mutex
	setUp  func(bool)
	gone   func(error)
	state  linkState

	up      atomic.Bool   // state is linkUp, for reading without the lock
	look    chan struct{} // rung when the state may have changed
	stop    chan struct{} // closed by Close
	watched chan struct{} // closed when the watcher has ended; nil without one
}

// linkState is what an interface is.
type linkState int

const (
	linkDown linkState = iota
	linkUp
	linkGone
)

// linkPeriod is how often the state of the interface is read. The kernel reports by
// itself only that an interface comes up; netlink would say more, but not of an
// interface that was moved to another network namespace.
const linkPeriod = 20 * time.Millisecond

const tapInterface = "TAP interface"

func tapError(name string, err error) error {
	e := &Error{Kind: tapInterface, Name: name, Err: err}
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		e.Remedy = "it takes root (CAP_NET_ADMIN) or an interface that root made for this user"
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		e.Remedy = "/dev/net/tun is missing: modprobe tun"
	case errors.Is(err, unix.EBUSY):
		e.Remedy = "another program has it open"
	case errors.Is(err, unix.EINVAL):
		e.Remedy = "the name is taken by something else, or the interface was made with multi_queue"
	case errors.Is(err, unix.EBADFD): // the descriptor has no interface any more
		return deletedTAP(name)
	}
	return e
}

func deletedTAP(name string) error {
	return &Error{Kind: tapInterface, Name: name, Reason: "it was deleted", Remedy: "make it again and start again"}
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
	request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	uso := false
	if err == nil {
		uso, err = setTAPHeader(fd)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, tapError(ifname, err)
	}
	t := &TAPDevice{name: request.Name(), fd: fd, uso: uso, room: make(chan struct{}, 1), done: make(chan struct{}),
		look: make(chan struct{}, 1), stop: make(chan struct{})}
	// Only when it is attached to its interface can the runtime wait for the
	// descriptor.
	t.file = os.NewFile(uintptr(fd), "/dev/net/tun")
	return t, nil
}

// Name returns the name of the interface, as the kernel completed it.
func (t *TAPDevice) Name() string { return t.name }

// Lost implements [vdev.LossReporter]: the kernel did not take these frames, usually
// because the interface has just gone down.
func (t *TAPDevice) Lost() (frames, bytes uint64) { return t.lost.Load(), t.lostBytes.Load() }

// FollowLink implements [vdev.LinkReporter].
func (t *TAPDevice) FollowLink(up func(bool), gone func(error)) {
	t.linkMu.Lock()
	t.setUp, t.gone = up, gone
	up(false) // as state is
	t.linkMu.Unlock()
	t.checkLink()
	t.watched = make(chan struct{})
	go t.watchLink()
}

// watchLink reads the state of the interface until that is gone or closed.
func (t *TAPDevice) watchLink() {
	defer close(t.watched)
	ticker := time.NewTicker(linkPeriod)
	defer ticker.Stop()
	for t.checkLink() != linkGone {
		select {
		case <-t.stop:
			return
		case <-t.look:
		case <-ticker.C:
		}
	}
}

// checkLink reads the state of the interface and reports it if it changed.
func (t *TAPDevice) checkLink() linkState {
	t.linkMu.Lock()
	defer t.linkMu.Unlock()
	if t.setUp == nil || t.state == linkGone {
		return t.state
	}
	now := t.readLink()
	if now == t.state {
		return now
	}
	t.state = now
	t.up.Store(now == linkUp)
	t.setUp(now == linkUp)
	if now == linkGone {
		t.gone(deletedTAP(t.name))
	}
	return now
}

// readLink asks the kernel: the descriptor can be written to while the interface is
// up, and has an error when there is none.
func (t *TAPDevice) readLink() linkState {
	p := []unix.PollFd{{Fd: int32(t.fd), Events: unix.POLLOUT}}
	switch _, err := unix.Poll(p, 0); {
	case err != nil: // interrupted
		return t.state
	case p[0].Revents&unix.POLLERR != 0:
		return linkGone
	case p[0].Revents&unix.POLLOUT != 0:
		return linkUp
	}
	return linkDown
}

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
	b := make([]byte, tapHeaderLen+maxFrame)
	for {
		n, err := t.file.Read(b)
		if err != nil || n < tapHeaderLen {
			t.lookAtLink() // the interface is gone, or the file is closed
			return
		}
		if !t.up.Load() {
			t.checkLink() // or the device would drop the first frames
		}
		frame, offload := [][]byte{b[tapHeaderLen:n]}, []vdev.Offload{readTAPHeader(b)}
		for t.in.put(frame, offload) == 0 {
			if _, open := <-t.room; !open {
				return
			}
		}
	}
}

// lookAtLink has the watcher read the state of the interface at once.
func (t *TAPDevice) lookAtLink() {
	select {
	case t.look <- struct{}{}:
	default:
	}
}

// Transmit implements [vdev.Backend].
func (t *TAPDevice) Transmit(_ int, frames [][]byte) int {
	for _, f := range frames {
		t.write(f, vdev.Offload{})
	}
	return len(frames)
}

// write passes a frame to the kernel.
func (t *TAPDevice) write(frame []byte, o vdev.Offload) {
	t.out.set(o, frame)
	if _, err := unix.Writev(t.fd, t.out.pieces[:]); err != nil {
		t.lost.Add(1)
		t.lostBytes.Add(uint64(len(frame)))
		t.lookAtLink()
	}
}

// Receive implements [vdev.Backend].
func (t *TAPDevice) Receive(_ int, frames [][]byte) int { return t.in.get(frames, nil) }

// Traits implements [vdev.Backend].
func (t *TAPDevice) Traits() vdev.Traits { return vdev.Traits{} }

// Close implements [vdev.Backend]. An interface that TAP made disappears.
func (t *TAPDevice) Close() error {
	attached := t.in.writer.Swap(nil) != nil
	close(t.stop)
	if t.watched != nil {
		<-t.watched
	}
	t.linkMu.Lock()
	t.setUp = nil // the descriptor is not looked at any more
	t.linkMu.Unlock()
	err := t.file.Close()
	if attached {
		close(t.room)
		<-t.done
	}
	return err
}
