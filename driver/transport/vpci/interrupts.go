package vpci

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/pci"
)

// interruptMode is how the device reports configuration changes.
type interruptMode string

const (
	byMSIX    interruptMode = "MSI-X"
	byINTx    interruptMode = "INTx"
	byPolling interruptMode = "none, polled"
)

// minSignalInterval is the least time between two signals that are handled, so that
// a device that interrupts all the time costs little.
const minSignalInterval = time.Millisecond

// interrupts turn what the function signals into events. Each signal has a
// goroutine of its own.
type interrupts struct {
	mode     interruptMode
	interval time.Duration // of polling
	polling  bool
	events   chan transport.Event
	closing  chan struct{} // closed to end the goroutines
	running  sync.WaitGroup
	signals  []signal
	queues   queueInterrupts
}

// signal is an interrupt that reaches this process: vector 0 of its kind.
type signal struct {
	kind pci.IRQ
	file *os.File // the eventfd
	fd   int
}

// openInterrupts connects the interrupts that the function has. A kind that cannot
// be connected is not used: without any, status and config_generation are polled.
func (d *Device) openInterrupts(interval time.Duration) {
	d.interrupts = &interrupts{
		mode:     byPolling,
		interval: interval,
		// Room for a change and the removal that follows it.
		events:  make(chan transport.Event, 2),
		closing: make(chan struct{}),
	}
	d.connect(pci.Removal, func(signal) { d.report(transport.Removed) })
	switch {
	case d.connect(pci.MSIX, d.handleMSIX()):
		d.interrupts.mode = byMSIX
	case d.regs.isr != nil && d.connect(pci.INTx, d.handleINTx):
		d.interrupts.mode = byINTx
	}
}

// connect has handle called each time vector 0 of a kind is raised, and reports
// whether the interrupt can be used.
func (d *Device) connect(kind pci.IRQ, handle func(signal)) bool {
	vectors, err := d.fn.Vectors(kind)
	if err == nil && vectors == 0 {
		return false
	}
	var s signal
	if err == nil {
		s, err = newSignal(kind)
	}
	if err == nil {
		if err = d.fn.SetIRQ(kind, []int{s.fd}); err != nil {
			err = errors.Join(err, s.file.Close())
		}
	}
	if err != nil {
		d.log.Warn("an interrupt cannot be used", "function", d.Name(), "interrupt", kind.String(),
			"error", err)
		return false
	}
	in := d.interrupts
	in.signals = append(in.signals, s)
	in.running.Go(func() {
		for s.wait() == nil {
			handle(s)
			interval := minSignalInterval
			if in.queues.relayed() {
				interval = minRelayInterval
			}
			if !in.pause(interval) {
				return
			}
		}
	})
	return true
}

func newSignal(kind pci.IRQ) (signal, error) {
	// Non-blocking, so that the runtime polls it and a deadline ends a wait.
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return signal{}, os.NewSyscallError("eventfd2", err)
	}
	return signal{kind: kind, file: os.NewFile(uintptr(fd), kind.String()), fd: fd}, nil
}

// wait returns when the signal was raised since the last wait, or fails when a
// deadline is set.
func (s signal) wait() error {
	var count [8]byte
	_, err := s.file.Read(count[:])
	return err
}

// pause waits, and reports whether the device is still open.
func (in *interrupts) pause(long time.Duration) bool {
	t := time.NewTimer(long)
	defer t.Stop()
	select {
	case <-in.closing:
		return false
	case <-t.C:
		return true
	}
}

// report puts an event into the channel. A change that finds another event
// waiting there is seen together with it; a removal waits for room.
func (d *Device) report(e transport.Event) {
	in := d.interrupts
	if e == transport.ConfigChanged {
		select {
		case in.events <- e:
		default:
		}
		return
	}
	d.log.Warn("the function is being removed", "function", d.Name())
	select {
	case in.events <- e:
	case <-in.closing:
	}
}

// signal returns the interrupt of a kind, nil if it is not connected.
func (in *interrupts) signal(kind pci.IRQ) *signal {
	for i := range in.signals {
		if in.signals[i].kind == kind {
			return &in.signals[i]
		}
	}
	return nil
}

// handleMSIX returns what handles the vector for configuration changes. If that is the
// one for queues, too, only what polling compares says which it was (pci/cfgchange/1).
func (d *Device) handleMSIX() func(signal) {
	var last polled
	return func(signal) {
		if d.interrupts.queues.relayed() {
			d.interrupts.queues.raise()
			now, err := d.polled()
			if err == nil && now == last {
				return
			}
			last = now
		}
		d.report(transport.ConfigChanged)
	}
}

// Bits of the ISR status (4.1.4.5, x/pci/intx).
const (
	isrQueue  = 1 << 0
	isrConfig = 1 << 1
)

// handleINTx reads what an INTx interrupt was for. Reading the ISR status also makes
// the device lower the line; only then INTx is unmasked.
func (d *Device) handleINTx(s signal) {
	var isr uint8
	err := d.access(d.regs.isr, func(r pci.Region, base uint64) (err error) {
		isr, err = r.Read8(base)
		return err
	})
	if err = d.checkPresent(isr == 0xff, err); errors.Is(err, transport.ErrRemoved) {
		d.report(transport.Removed)
		return
	}
	if err == nil && isr&isrQueue != 0 {
		d.interrupts.queues.raise()
	}
	if err == nil && isr&isrConfig != 0 {
		d.report(transport.ConfigChanged)
	}
	if err := d.fn.SetIRQ(pci.INTx, []int{s.fd}); err != nil {
		d.log.Warn("INTx cannot be unmasked", "function", d.Name(), "error", err)
	}
}

// Events implements transport.Transport. A change reported while an earlier
// event still waits in the channel may be delivered together with it.
func (d *Device) Events() <-chan transport.Event { return d.interrupts.events }

// closeInterrupts disconnects everything and returns when no goroutine is left.
func (d *Device) closeInterrupts() error {
	in := d.interrupts
	close(in.closing)
	var errs []error
	for _, s := range in.signals {
		errs = append(errs, s.file.SetReadDeadline(time.Unix(1, 0)))
	}
	// Once all goroutines have ended none of them unmasks INTx any more, and the
	// eventfds are closed only after the function has released them: their numbers
	// may then be those of other files.
	in.running.Wait()
	for _, s := range in.signals {
		if err := d.fn.SetIRQ(s.kind, nil); err != nil {
			errs = append(errs, fmt.Errorf("%s: disconnecting the %s: %w", d.Name(), s.kind, err))
		}
		errs = append(errs, s.file.Close())
	}
	in.queues.close()
	close(in.events)
	return errors.Join(errs...)
}
