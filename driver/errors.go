package driver

import (
	"fmt"
	"strings"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// ConfigError is a value of a Config that cannot be.
type ConfigError struct {
	Field  string // of Config
	Value  any
	Reason string
	Remedy string
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("config: %s %v: %s; %s", e.Field, e.Value, e.Reason, e.Remedy)
}

// QueueSizeError is a queue size that cannot be had.
type QueueSizeError struct {
	Name   string // which: "RxQueueSize" or "TxQueueSize" of Config, or the virtqueue
	Size   int
	Max    int // the largest size there is
	Reason string
	Remedy string
}

func (e *QueueSizeError) Error() string {
	return fmt.Sprintf("%s %d: %s; %s", e.Name, e.Size, e.Reason, e.Remedy)
}

// LegacyDeviceError is a device without VERSION_1. This driver has no legacy
// interface.
type LegacyDeviceError struct {
	Device  string
	Refused bool // the device offers VERSION_1 and Config.Refuse has it
}

func (e *LegacyDeviceError) Error() string {
	if e.Refused {
		return e.Device + ": VERSION_1 cannot be refused: there is no other interface; take it out of Config.Refuse"
	}
	return e.Device + ": the device does not offer VERSION_1: it is a legacy device, which this driver does not support; " +
		"have the host offer a modern one (QEMU: disable-legacy=on)"
}

// FeaturesRefusedError is a device that did not keep FEATURES_OK (3.1.1).
type FeaturesRefusedError struct {
	Device   string
	Status   virtio.Status   // what it read back
	Features virtio.Features // what the driver had accepted, all of it offered
}

func (e *FeaturesRefusedError) Error() string {
	return fmt.Sprintf("%s: the device refuses this choice of the features it offers: %s (status %v); "+
		"refuse some of them in Config.Refuse, on a command line with packed=0, in_order=0, event_idx=0, indirect=0 or mrg_rxbuf=0",
		e.Device, strings.Join(e.Features.Names(), " "), e.Status)
}

// PoolError is a pool whose buffers this port cannot use.
type PoolError struct {
	Device string
	Value  int // what the pool has
	Need   int // what it would have to have
	Reason string
	Remedy string
}

func (e *PoolError) Error() string {
	return fmt.Sprintf("%s: pool: %s: %d, and %d are needed; %s", e.Device, e.Reason, e.Value, e.Need, e.Remedy)
}

// RingMemoryError is a ring that does not fit into one page, which it must when
// the device takes physical addresses.
type RingMemoryError struct {
	Device   string
	Queue    int // the virtqueue
	Bytes    int
	PageSize int
}

func (e *RingMemoryError) Error() string {
	return fmt.Sprintf("%s: the ring of virtqueue %d takes %d bytes and the device needs it in one page of %d, because it takes physical addresses; "+
		"take a smaller queue, refuse INDIRECT_DESC, or set Memory.PageSize to 1 GiB", e.Device, e.Queue, e.Bytes, e.PageSize)
}

// RemovedError says that the device is gone, or about to be: unplugged, or its
// back end ended.
type RemovedError struct {
	Device string
	Err    error // how it was noticed, nil if the device's removal was asked for
}

func (e *RemovedError) Error() string {
	if e.Err == nil {
		return e.Device + ": the removal of the device was asked for; close the port"
	}
	return fmt.Sprintf("%s: the device was removed: %v; close the port", e.Device, e.Err)
}

func (e *RemovedError) Unwrap() error { return e.Err }

// NeedsResetError is a device that set DEVICE_NEEDS_RESET (2.1.2).
type NeedsResetError struct {
	Device string
	Status virtio.Status
}

func (e *NeedsResetError) Error() string {
	return fmt.Sprintf("%s: the device reports an error it cannot leave without a reset (status %v)", e.Device, e.Status)
}

// LostStatusError is a device whose status lost bits: it was reset behind the
// driver's back.
type LostStatusError struct {
	Device string
	Status virtio.Status
}

func (e *LostStatusError) Error() string {
	return fmt.Sprintf("%s: the device status is %v (%#x) and not what the driver wrote: the device was reset behind the driver's back",
		e.Device, e.Status, uint8(e.Status))
}

// QueueBrokenError is a virtqueue in which the device wrote what it never may.
type QueueBrokenError struct {
	Device string
	Queue  int   // the virtqueue
	Err    error // what the device wrote, a *virtq.BrokenError
}

func (e *QueueBrokenError) Error() string {
	return fmt.Sprintf("%s: virtqueue %d is broken: %v", e.Device, e.Queue, e.Err)
}

func (e *QueueBrokenError) Unwrap() error { return e.Err }

// BusyQueueError is a queue that is in the middle of a burst for too long: the
// goroutine that polled it has died in it. The queue cannot be taken back.
type BusyQueueError struct {
	Device string
	Queue  int // the virtqueue
	Waited time.Duration
	Err    error // why the queue was to be taken back, nil for Close
}

func (e *BusyQueueError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("%s: virtqueue %d has been in the middle of a burst for %v; end the goroutine that polls it before the port is closed",
			e.Device, e.Queue, e.Waited)
	}
	return fmt.Sprintf("%s: virtqueue %d has been in the middle of a burst for %v, so the port cannot recover from: %v; close the port",
		e.Device, e.Queue, e.Waited, e.Err)
}

func (e *BusyQueueError) Unwrap() error { return e.Err }

// ClosedError is a call on a port that was closed.
type ClosedError struct{ Device string }

func (e *ClosedError) Error() string { return e.Device + ": the port is closed" }

// MemoryKeptError says that memory was deliberately not released, because the
// device could not be stopped and may still be writing to it, or because a
// goroutine is still inside a burst.
type MemoryKeptError struct {
	Device string
	Bytes  int   // that the port kept; a pool of the caller's has to be kept as well
	Err    error // why the device could not be stopped, or a *BusyQueueError
}

func (e *MemoryKeptError) Error() string {
	return fmt.Sprintf("%s: %d bytes of memory are kept for good because they may still be in use: %v; "+
		"do not release a pool that was shared with this port before the program ends", e.Device, e.Bytes, e.Err)
}

func (e *MemoryKeptError) Unwrap() error { return e.Err }
