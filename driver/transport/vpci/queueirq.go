package vpci

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/eventfd"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/pci"
)

// firstQueueVector is the MSI-X vector of the first queue that has one. When there are too
// few all queues share it.
const firstQueueVector = configVector + 1

// minRelayInterval takes the place of minSignalInterval where queues have no interrupt of
// their own.
const minRelayInterval = 50 * time.Microsecond

// queueInterrupts are the interrupts of queues. One that is not shared with changes of the
// configuration reaches who sleeps without a goroutine of this package: the device
// signals the eventfd of its vector. The others are relayed by the goroutine that finds out
// what an interrupt was for, to one eventfd for all queues.
type queueInterrupts struct {
	wanted  map[int]uint16 // vectors of the queues that are to have one; nil without interrupts
	vectors map[int]uint16 // of queues that were set up, as the device accepted them
	fds     []int          // eventfds of the vectors from firstQueueVector on
	relay   atomic.Pointer[int]
}

// EnableInterrupts implements transport.Interrupter. Each queue has a vector of its own, or
// all share one, or the one for changes of the configuration, or INTx.
func (d *Device) EnableInterrupts(queues []int) error {
	in := &d.interrupts.queues
	in.wanted, in.vectors = nil, make(map[int]uint16)
	if len(queues) == 0 {
		return nil
	}
	own, err := d.connectVectors(len(queues))
	if err != nil {
		return err
	}
	in.wanted = make(map[int]uint16)
	for i, q := range queues {
		switch {
		case own == len(queues):
			in.wanted[q] = firstQueueVector + uint16(i)
		case own > 0:
			in.wanted[q] = firstQueueVector
		case d.interrupts.mode == byINTx:
			in.wanted[q] = virtio.NoVector
		default:
			in.wanted[q] = configVector
		}
	}
	d.log.Info("interrupts of queues", "function", d.Name(), "queues", len(queues), "vectors", own)
	return nil
}

// connectVectors connects MSI-X vectors for n queues, or one if there are fewer than that.
// It returns how many there are, 0 if the queues' interrupt has to be relayed.
func (d *Device) connectVectors(n int) (int, error) {
	in := &d.interrupts.queues
	if have := len(in.fds); have == n || have == 1 {
		return have, nil
	}
	if in.relay.Load() != nil {
		return 0, nil
	}
	vectors := 0
	if config := d.interrupts.signal(pci.MSIX); config != nil {
		var err error
		if vectors, err = d.fn.Vectors(pci.MSIX); err != nil {
			return 0, err
		}
		for _, want := range []int{n, 1} {
			if firstQueueVector+want > vectors {
				continue
			}
			if err = d.reconnectVectors(config.fd, want); err == nil {
				return want, nil
			}
			d.log.Warn("MSI-X vectors for queues cannot be used", "function", d.Name(), "vectors", want,
				"error", err)
		}
		if err != nil { // what is left is the one for changes of the configuration
			if err := d.fn.SetIRQ(pci.MSIX, []int{config.fd}); err != nil {
				return 0, fmt.Errorf("%s: connecting MSI-X again: %w", d.Name(), err)
			}
		}
	} else if d.interrupts.mode != byINTx {
		return 0, &transport.Error{Device: d.Name(), Op: "interrupts", Err: errors.ErrUnsupported,
			Reason: "the function has neither MSI-X nor INTx that this process can use",
			Remedy: "poll (intr=0), or give the device vectors (QEMU: vectors=4)"}
	}
	fd, err := eventfd.New()
	if err != nil {
		return 0, err
	}
	in.relay.Store(&fd)
	return 0, nil
}

// reconnectVectors connects the vector for changes of the configuration and n for queues. All
// have to be connected at once: a kernel may not add vectors to those that it has.
func (d *Device) reconnectVectors(configFD, n int) error {
	fds := []int{configFD}
	for range n {
		fd, err := eventfd.New()
		if err != nil {
			closeAll(fds[1:])
			return err
		}
		fds = append(fds, fd)
	}
	err := d.fn.SetIRQ(pci.MSIX, nil)
	if err == nil {
		err = d.fn.SetIRQ(pci.MSIX, fds)
	}
	if err != nil {
		closeAll(fds[1:])
		return err
	}
	closeAll(d.interrupts.queues.fds)
	d.interrupts.queues.fds = fds[1:]
	return nil
}

// routeQueueInterrupt writes the vector of the selected queue q, which is NO_VECTOR unless
// interrupts were asked for, and reads back that the device accepted it (4.1.5.1.2). A
// queue that is refused a vector of its own shares the first.
func (d *Device) routeQueueInterrupt(q int) error {
	in := &d.interrupts.queues
	want, ok := in.wanted[q]
	if !ok || want == virtio.NoVector {
		return d.writeBack(q, "queue_msix_vector", regQueueVector, virtio.NoVector)
	}
	var got uint16
	for _, v := range []uint16{want, min(want, firstQueueVector)} {
		if err := d.write16(regQueueVector, v); err != nil {
			return err
		}
		var err error
		if got, err = d.read16(regQueueVector); err != nil {
			return err
		}
		if got == v {
			in.vectors[q] = v
			return nil
		}
	}
	return &transport.Error{Device: d.Name(), Op: fmt.Sprintf("virtqueue %d", q),
		Field: "queue_msix_vector", Value: uint64(got), Err: errors.ErrUnsupported,
		Reason: fmt.Sprintf("the device refuses an interrupt for the queue: %d was written", want),
		Remedy: "poll (intr=0), or give the device more vectors (QEMU: vectors=4)"}
}

// Interrupt implements transport.Interrupter.
func (d *Device) Interrupt(q int) (int, error) {
	in := &d.interrupts.queues
	if _, ok := in.wanted[q]; !ok {
		return -1, d.queueError(q, "queue_msix_vector", virtio.NoVector, "the queue has no interrupt")
	}
	if fd := in.relay.Load(); fd != nil {
		return *fd, nil
	}
	v, ok := in.vectors[q]
	if !ok {
		return -1, d.queueError(q, "queue_msix_vector", virtio.NoVector, "the queue was not set up")
	}
	return in.fds[v-firstQueueVector], nil
}

// relayed reports whether queues share an interrupt with changes of the configuration.
func (q *queueInterrupts) relayed() bool { return q.relay.Load() != nil }

// raise wakes who sleeps for a queue, if the interrupt of the queues is relayed.
func (q *queueInterrupts) raise() {
	if fd := q.relay.Load(); fd != nil {
		_ = eventfd.Add(*fd)
	}
}

// close closes the eventfds. The function has released them, and nothing relays any more.
func (q *queueInterrupts) close() {
	closeAll(q.fds)
	if fd := q.relay.Load(); fd != nil {
		closeAll([]int{*fd})
	}
	q.fds, q.wanted = nil, nil
	q.relay.Store(nil)
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}
