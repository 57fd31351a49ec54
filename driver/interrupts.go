package driver

import (
	"errors"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// enableInterrupts asks the transport for interrupts of the receive queues, if the
// configuration asks for them. d.mu is held.
func (d *device) enableInterrupts(pairs int) error {
	t, ok := d.t.(transport.Interrupter)
	switch {
	case !ok && d.cfg.Interrupts:
		return &Error{Device: d.name, Op: "interrupts",
			Reason: "the transport of this device has none for queues",
			Remedy: "poll, without Config.Interrupts or intr=1", kind: errors.ErrUnsupported}
	case !ok:
		return nil
	}
	var queues []int
	if d.cfg.Interrupts {
		for i := range pairs {
			queues = append(queues, virtio.RxQueueIndex(i))
		}
	}
	return t.EnableInterrupts(queues)
}

// connectInterrupt connects a receive queue, which the device was given, with its interrupt.
// d.mu is held and the gate is closed.
func (d *device) connectInterrupt(q *RxQueue) error {
	t, ok := d.t.(transport.Interrupter)
	if !ok || !d.cfg.Interrupts {
		return nil
	}
	fd, err := t.Interrupt(q.index)
	if err != nil {
		return err
	}
	return q.sleep.setInterrupt(fd)
}

// closeWaiters ends what sleeps for the queues. The port has ended.
func (d *device) closeWaiters() {
	for _, q := range d.rx {
		q.sleep.close()
	}
	d.service.changed.close()
}

func (s *sleeper) init(of *service, interrupts bool) {
	s.service, s.interrupts, s.interrupt = of, interrupts, -1
}

// read adds the counters to those of the queue. Any goroutine may call it. Of two of which one
// is a part of the other, the part is read first.
func (s *waitStats) read(to *RxQueueStats) {
	to.LostInterrupts = s.lost.Load()
	to.WaitTimeouts = s.timeouts.Load()
	to.SpuriousWakes = s.spurious.Load()
	to.Interrupts = s.interrupts.Load()
	to.Waits = s.waits.Load()
}
