package vhostuser

import (
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// bell is an eventfd that wakes a back end which sleeps until there is
// something to do in a ring.
type bell struct{ fd int }

// one is what adds 1 to an eventfd.
var one = order.AppendUint64(nil, 1)

// Ring implements virtio.Doorbell. What it writes is of no account: an eventfd
// only counts. The system call orders all stores before it.
func (b *bell) Ring(uint32) {
	// A counter that is full makes no difference: the back end is as good as woken.
	_, _ = unix.Write(b.fd, one)
}

func (b *bell) close() error { return closeFD(b.fd) }

// silence is the bell of a back end that polls.
type silence struct{}

func (silence) Ring(uint32) {}

// bells are the eventfds that one back end was given. The next one gets others:
// a back end that hangs keeps these, and could go on ringing and blocking them.
type bells struct {
	of     *session
	kicks  map[int]*bell // of each ring that was set up
	callFD int           // for all rings, nobody reads it; -1 if there is none
}

// kick returns the bell of ring i of this connection and its eventfd, and makes
// sure that there is one for calls. Those of the connection before are closed:
// nobody rings them any more, because a new connection begins with a reset. For a
// back end that polls there are none.
func (d *Device) kick(s *session, i int) (virtio.Doorbell, int, error) {
	if d.opt.Polled {
		return silence{}, -1, nil
	}
	b := &d.bells
	if b.of != s {
		if err := b.close(); err != nil {
			return nil, -1, err
		}
		b.of, b.kicks = s, make(map[int]*bell)
	}
	var err error
	if b.callFD < 0 {
		// Packets are polled for, so nobody reads it. Still there is one, for
		// back ends that signal without looking whether they have one.
		if b.callFD, err = eventfd(); err != nil {
			return nil, -1, err
		}
	}
	if b.kicks[i] == nil {
		fd, err := eventfd()
		if err != nil {
			return nil, -1, err
		}
		b.kicks[i] = &bell{fd: fd}
	}
	return b.kicks[i], b.kicks[i].fd, nil
}

func (b *bells) close() error {
	var errs []error
	for _, k := range b.kicks {
		errs = append(errs, k.close())
	}
	if b.callFD >= 0 {
		errs = append(errs, closeFD(b.callFD))
	}
	*b = bells{callFD: -1}
	return errors.Join(errs...)
}

func eventfd() (int, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return -1, os.NewSyscallError("eventfd2", err)
	}
	return fd, nil
}

func closeFD(fd int) error { return os.NewSyscallError("close", unix.Close(fd)) }

// faultPipe is how a back end reports a broken ring. It is a pipe and not an
// eventfd because both sides share an eventfd with its flags: a back end could
// make reading it block.
type faultPipe struct {
	file   *os.File // what is read
	sendFD int      // what the back end gets
	once   sync.Once
}

func newFaultPipe() (*faultPipe, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, os.NewSyscallError("pipe2", err)
	}
	return &faultPipe{file: os.NewFile(uintptr(fds[0]), "vring error"), sendFD: fds[1]}, nil
}

func (p *faultPipe) close() {
	p.once.Do(func() {
		_ = p.file.Close()
		_ = closeFD(p.sendFD)
	})
}

// stormPause is the least time between two reports that are looked at.
const stormPause = 10 * time.Millisecond

// watchFaults turns what the back end reports into DEVICE_NEEDS_RESET, for as
// long as the connection lasts.
func (d *Device) watchFaults(s *session) error {
	var err error
	if s.faults, err = newFaultPipe(); err != nil {
		return err
	}
	s.running.Go(func() {
		var b [4096]byte
		for {
			if _, err := s.faults.file.Read(b[:]); err != nil {
				return
			}
			d.needsReset.Store(true)
			d.log.Warn("the back end reports a broken ring")
			d.report(transport.ConfigChanged)
			select {
			case <-s.done:
				return
			case <-time.After(stormPause):
			}
		}
	})
	return nil
}

// report puts an event into the channel, and tells whether the device is still
// open. A change that finds it full is seen together with what is in there; an
// end or a beginning of a connection waits.
func (d *Device) report(e transport.Event) bool {
	if e == transport.ConfigChanged {
		select {
		case d.events <- e:
		default:
		}
		return true
	}
	select {
	case d.events <- e:
		return true
	case <-d.closing.Done():
		return false
	}
}
