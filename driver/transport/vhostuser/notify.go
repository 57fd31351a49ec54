package vhostuser

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/eventfd"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// doorbell is an eventfd that wakes a back end which sleeps until a ring has new
// buffers. The guard of the eventfds keeps a back end from blocking it.
type doorbell struct{ fd int }

// Ring implements virtio.Doorbell. The value is ignored: an eventfd only counts.
func (b *doorbell) Ring(uint32) { _ = eventfd.Add(b.fd) } // the guard notices what fails

// noDoorbell is the doorbell of a back end that polls.
type noDoorbell struct{}

func (noDoorbell) Ring(uint32) {}

// eventfds are those that one back end was given. The next back end is given others:
// one that hangs keeps these, and could go on writing to them and blocking them.
type eventfds struct {
	of     *session
	kicks  map[int]*doorbell // of each ring that was set up
	calls  map[int]int       // of each ring that has an interrupt; never read
	callFD int               // for all other rings, neither read nor written; -1 if there is none
	guard  eventfd.Guard     // of kicks
}

// use makes e those of this connection. Those of the connection before are closed: their
// doorbells are not rung any more, because a new connection begins with a reset.
func (e *eventfds) use(s *session) error {
	if e.of == s {
		return nil
	}
	err := e.close()
	e.of, e.kicks, e.calls = s, make(map[int]*doorbell), make(map[int]int)
	return err
}

// call returns the eventfd by which the back end interrupts for ring i. Rings without an
// interrupt share one, which exists for back ends that signal without checking that they
// have one; a back end that polls has none for them.
func (d *Device) call(i int) (int, error) {
	e := &d.eventfds
	if !d.interrupts[i] {
		if e.callFD >= 0 || d.opt.Polled {
			return e.callFD, nil
		}
		var err error
		e.callFD, err = eventfd.New()
		return e.callFD, err
	}
	if fd, ok := e.calls[i]; ok {
		return fd, nil
	}
	fd, err := eventfd.New()
	if err == nil {
		e.calls[i] = fd
	}
	return fd, err
}

// EnableInterrupts implements transport.Interrupter: every ring can have an eventfd.
func (d *Device) EnableInterrupts(queues []int) error {
	d.interrupts = make(map[int]bool)
	for _, q := range queues {
		d.interrupts[q] = true
	}
	return nil
}

// Interrupt implements transport.Interrupter.
func (d *Device) Interrupt(q int) (int, error) {
	fd, ok := d.eventfds.calls[q]
	if !ok {
		return -1, &transport.Error{Device: d.name, Op: fmt.Sprintf("virtqueue %d", q),
			Reason: "the queue was not set up with an interrupt"}
	}
	return fd, nil
}

// doorbell returns the doorbell of ring i and its eventfd. For a back end that polls there
// is none.
func (d *Device) doorbell(s *session, i int) (virtio.Doorbell, int, error) {
	if d.opt.Polled {
		return noDoorbell{}, -1, nil
	}
	e := &d.eventfds
	if e.kicks[i] == nil {
		fd, err := eventfd.New()
		if err != nil {
			return nil, -1, err
		}
		e.kicks[i] = &doorbell{fd: fd}
		e.guard.Watch(fd, func() { s.end(fullError(i)) })
	}
	return e.kicks[i], e.kicks[i].fd, nil
}

// close closes the eventfds. No doorbell is rung any more.
func (e *eventfds) close() error {
	var errs []error
	for _, k := range e.kicks {
		if e.guard.Forget(k.fd) { // or it stays open: the back end has a goroutine wait for it
			errs = append(errs, closeFD(k.fd))
		}
	}
	e.guard.Close()
	for _, fd := range e.calls {
		errs = append(errs, closeFD(fd))
	}
	if e.callFD >= 0 {
		errs = append(errs, closeFD(e.callFD))
	}
	e.of, e.kicks, e.calls, e.callFD = nil, nil, nil, -1
	return errors.Join(errs...)
}

func closeFD(fd int) error { return os.NewSyscallError("close", unix.Close(fd)) }

// faultPipe is how a back end reports a broken ring. It is a pipe and not an
// eventfd because both sides share an eventfd with its flags: a back end could
// make reading it block.
type faultPipe struct {
	file   *os.File // the end that is read
	sendFD int      // the end that the back end is given
	once   sync.Once

	// mu makes reading the pipe, and noting or forgetting what was read, one step.
	mu sync.Mutex
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

// await waits until the back end reports something, and calls note.
func (p *faultPipe) await(note func()) error {
	conn, err := p.file.SyscallConn()
	if err != nil {
		return err
	}
	return conn.Read(func(fd uintptr) bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		found := drain(int(fd))
		if found {
			note()
		}
		return found
	})
}

// forget discards what the back end has reported by now, and calls note.
func (p *faultPipe) forget(note func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if conn, err := p.file.SyscallConn(); err == nil {
		_ = conn.Control(func(fd uintptr) { drain(int(fd)) })
	}
	note()
}

// drain empties a pipe, and reports whether there was something in it. A back end that
// writes faster than this reads does not hold it up.
func drain(fd int) (found bool) {
	var b [4096]byte
	for range 16 { // more than a pipe holds
		if n, err := unix.Read(fd, b[:]); err != nil || n <= 0 {
			break
		}
		found = true
	}
	return found
}

// minReportInterval is the least time between two reports that are read, so that a
// back end that reports all the time costs little.
const minReportInterval = 10 * time.Millisecond

// watchFaults turns what the back end reports into DEVICE_NEEDS_RESET, for as
// long as the connection lasts.
func (d *Device) watchFaults(s *session) error {
	var err error
	if s.faults, err = newFaultPipe(); err != nil {
		return fileError(d.name, "pipe for ring errors", err)
	}
	s.running.Go(func() {
		for {
			if err := s.faults.await(func() { d.needsReset.Store(true) }); err != nil {
				return
			}
			d.log.Warn("the back end reports a broken ring")
			d.report(transport.ConfigChanged)
			select {
			case <-s.done:
				return
			case <-time.After(minReportInterval):
			}
		}
	})
	return nil
}

// report puts an event into the channel, and reports whether the device is still
// open. A change that finds the channel full is seen together with the event in
// it; the end and the beginning of a connection wait for room.
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
