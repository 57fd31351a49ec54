package vpci

import (
	"context"
	"fmt"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/pci"
)

// Queues implements transport.Transport.
func (d *Device) Queues() (int, error) {
	n, err := d.read16(regNumQueues)
	return int(n), err
}

// QueueSize implements transport.Transport. Before SetQueue it is the largest
// size of the device, afterwards the size that was set. A device may report more
// than 32768.
func (d *Device) QueueSize(q int) (int, error) {
	n, err := d.Queues()
	if err != nil {
		return 0, err
	}
	if q < 0 || q >= n {
		return 0, nil
	}
	if err := d.write16(regQueueSelect, uint16(q)); err != nil {
		return 0, err
	}
	size, err := d.read16(regQueueSize)
	return int(size), err
}

// SetQueue implements transport.Transport. A queue that cannot be set up with these
// areas is a [*transport.Error], one whose doorbell is outside its structure an
// [*Error]; the queue is then not enabled, unless the error is about queue_enable
// itself.
//
// The first queue after a Reset enables bus mastering.
func (d *Device) SetQueue(q int, areas transport.Queue) (transport.Notifier, error) {
	if err := d.checkQueue(q, areas); err != nil {
		return transport.Notifier{}, err
	}
	if err := d.checkFree(q); err != nil {
		return transport.Notifier{}, err
	}
	notifier, err := d.doorbell(q, areas)
	if err != nil {
		return transport.Notifier{}, err
	}
	if err := d.prepareQueues(); err != nil {
		return transport.Notifier{}, err
	}
	// The queue is still selected: nothing above selects another one.
	if err := d.writeQueue(q, areas); err != nil {
		return transport.Notifier{}, err
	}
	// The device may use the areas after this write, even if it fails.
	d.mayDMA = true
	if err := d.writeBack(q, "queue_enable", regQueueEnable, 1); err != nil {
		return transport.Notifier{}, err
	}
	return notifier, nil
}

// checkQueue checks the size and the areas that the driver asks for, and selects the
// queue.
func (d *Device) checkQueue(q int, areas transport.Queue) error {
	largest, err := d.QueueSize(q)
	if err != nil {
		return err
	}
	size := areas.Size
	wrong := func(field string, v uint64, format string, args ...any) error {
		return d.queueError(q, field, v, fmt.Sprintf(format, args...))
	}
	packed := d.accepted.Has(virtio.RingPacked)
	switch {
	case largest == 0:
		return wrong("queue_size", 0, "the device does not have this queue")
	case size < 1:
		return wrong("queue_size", uint64(size), "a queue has at least 1 entry")
	case size > virtio.MaxQueueSize:
		return wrong("queue_size", uint64(size), "a queue has at most %d entries",
			virtio.MaxQueueSize)
	case size > largest:
		return wrong("queue_size", uint64(size), "the largest size of the device is %d", largest)
	case !packed && size&(size-1) != 0:
		return wrong("queue_size", uint64(size), "the size of a split queue is a power of two")
	}
	driverAlign, deviceAlign := uint64(2), uint64(4) // 2.7
	if packed {
		driverAlign = 4 // 2.8
	}
	switch {
	case areas.Desc%16 != 0:
		return wrong("queue_desc", areas.Desc, "the address is not a multiple of 16")
	case areas.Driver%driverAlign != 0:
		return wrong("queue_driver", areas.Driver, "the address is not a multiple of %d",
			driverAlign)
	case areas.Device%deviceAlign != 0:
		return wrong("queue_device", areas.Device, "the address is not a multiple of %d",
			deviceAlign)
	}
	return nil
}

// CheckQueueReset implements transport.QueueResetter.
func (d *Device) CheckQueueReset() error {
	if d.accepted.Has(virtio.RingReset) {
		return nil
	}
	return &transport.FeatureError{Device: d.Name(), Missing: virtio.FeatureSet(virtio.RingReset),
		Reason: "the device cannot reset a single virtqueue",
		Remedy: "have the host offer it (QEMU 7.2 and later: queue_reset=on), or close the port and open it again"}
}

// ResetQueue implements transport.QueueResetter: it writes 1 to queue_reset and waits
// until that reads as 0 (4.1.4.3.2), with pauses that grow from 20 µs to 10 ms.
func (d *Device) ResetQueue(ctx context.Context, q int) error {
	if err := d.CheckQueueReset(); err != nil {
		return err
	}
	size, err := d.QueueSize(q)
	if err != nil {
		return err
	}
	if size == 0 {
		return d.queueError(q, "queue_size", 0, "the device does not have this queue")
	}
	// The queue is selected, and stays so.
	if err := d.write16(regQueueReset, 1); err != nil {
		return err
	}
	start := time.Now()
	var pending uint16
	done, err := awaitRegister(ctx, func() (bool, error) {
		pending, err = d.read16(regQueueReset)
		return pending == 0, err
	})
	switch {
	case err != nil:
		return err
	case !done:
		e := d.queueError(q, "queue_reset", uint64(pending),
			fmt.Sprintf("the reset is not finished after %v", time.Since(start).Round(time.Millisecond)))
		e.Err = ctx.Err()
		e.Remedy = "the device has to be reset; if that happens again restart or update what provides it"
		return e
	}
	return nil
}

// checkFree refuses a selected queue that is enabled: only a reset disables it.
func (d *Device) checkFree(q int) error {
	enabled, err := d.read16(regQueueEnable)
	if err != nil {
		return err
	}
	if enabled != 0 {
		return d.queueError(q, "queue_enable", uint64(enabled),
			"the queue is already enabled; it or the device has to be reset first")
	}
	return nil
}

// writeQueue writes everything but queue_enable, which comes last (4.1.4.3.2).
func (d *Device) writeQueue(q int, areas transport.Queue) error {
	if err := d.writeBack(q, "queue_size", regQueueSize, uint16(areas.Size)); err != nil {
		return err
	}
	if err := d.routeQueueInterrupt(q); err != nil {
		return err
	}
	for _, a := range []struct{ off, address uint64 }{
		{regQueueDesc, areas.Desc}, {regQueueDriver, areas.Driver}, {regQueueDevice, areas.Device},
	} {
		if err := d.write64(a.off, a.address); err != nil {
			return err
		}
	}
	return nil
}

// writeBack writes a register of the selected queue and makes sure that the
// device accepted the value.
func (d *Device) writeBack(q int, field string, off uint64, v uint16) error {
	if err := d.write16(off, v); err != nil {
		return err
	}
	got, err := d.read16(off)
	if err != nil {
		return err
	}
	if got != v {
		return d.queueError(q, field, uint64(got),
			fmt.Sprintf("%d was written and not accepted", v))
	}
	return nil
}

// prepareQueues enables bus mastering, which is safe because the reset made the
// device forget every address, and sets the interrupt vector, which it forgot too.
func (d *Device) prepareQueues() error {
	if d.prepared {
		return nil
	}
	if _, err := pci.UpdateCommand(d.fn, pci.CommandBusMaster, 0); err != nil {
		return fmt.Errorf("%s: writing the PCI command register: %w", d.Name(), err)
	}
	if err := d.routeConfigInterrupt(); err != nil {
		return err
	}
	d.prepared = true
	return nil
}

func (d *Device) queueError(q int, field string, v uint64, reason string) *transport.Error {
	return &transport.Error{Device: d.Name(), Op: fmt.Sprintf("virtqueue %d", q), Field: field,
		Value: v, Reason: reason,
		Remedy: "take fewer or smaller queues, and if that is refused as well restart or update what provides the device"}
}
