// Package transport is the seam between the driver and what carries it to a
// device: a PCI function or a vhost-user socket.
package transport

import (
	"context"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// Transport is one virtio device, as the driver reaches it. The driver uses it to
// set the device up, to watch it and to close it; packets do not pass through it,
// and a burst uses only the [virtio.Doorbell] that SetQueue returned.
//
// The methods may be called by one goroutine at a time; only the channel of Events
// may be received from meanwhile. They do not wait without a bound: a device that does
// not answer is an error. Errors are an [*Error], the types that the methods name, or
// the error type of the package that implements the transport; errors.Is finds
// [ErrRemoved] and [ErrDisconnected] in them, and os.ErrClosed after Close.
type Transport interface {
	// Name returns which device this is and how it is reached, for messages.
	Name() string

	// Reset writes 0 to the device status and waits until it reads back 0
	// (2.4.1). When ctx ends first the device may still be using its memory:
	// the error is a [*ResetError] and mapped memory must not be released.
	Reset(ctx context.Context) error
	// Status reads the device status. The error of a device that was removed is
	// ErrRemoved.
	Status() (virtio.Status, error)
	// SetStatus writes the device status.
	SetStatus(s virtio.Status) error

	// DeviceFeatures reads the features that the device offers.
	DeviceFeatures() (virtio.Features, error)
	// SetDriverFeatures writes the features that the driver accepts.
	SetDriverFeatures(f virtio.Features) error
	// CheckFeatures returns nil if the transport can work with the features that
	// are about to be accepted, otherwise a [*FeatureError] with reason and remedy.
	CheckFeatures(f virtio.Features) error

	// ReadConfig fills b from device configuration at off with accesses of
	// width bytes, all of one configuration generation (2.5.1).
	ReadConfig(off, width int, b []byte) error

	// Queues returns how many virtqueues the device has.
	Queues() (int, error)
	// QueueSize returns the largest size of virtqueue q, 0 if it does not exist.
	QueueSize(q int) (int, error)
	// SetQueue gives the device the areas of virtqueue q and enables it. The device
	// may access the areas until a Reset, or one of this queue, is confirmed. The Notifier
	// is valid until then. That the device refuses the queue may be the error of a later
	// call, at the latest of SetStatus with DRIVER_OK.
	SetQueue(q int, areas Queue) (Notifier, error)

	// DMA returns which device addresses can be used, and whether they are
	// physical addresses.
	DMA() DMA
	// MapDMA lets the device access mem and returns the device address of each of
	// its pages; the slice belongs to the caller. mem must not be released before
	// UnmapDMA or Close. Mapping it twice returns the same addresses.
	MapDMA(mem *hugepages.Memory) ([]uint64, error)
	// UnmapDMA removes the mapping of mem. While queues are in use, because no reset
	// was confirmed, the error is a [*StopError] and mem stays mapped.
	UnmapDMA(mem *hugepages.Memory) error

	// Events returns the channel of what the device reports on its own. Close
	// closes it.
	Events() <-chan Event

	// Close stops the device and releases what the transport holds. Every queue
	// should have been stopped by Reset; if not, the device is stopped by other
	// means, such as a reset of the PCI function. Mapped memory may be released
	// afterwards unless the error is a [*StopError]. Close may be called more than
	// once.
	Close() error
}

// Disconnecter is a [Transport] that can end the connection to its back end and
// waits for the next one.
type Disconnecter interface {
	// Disconnect ends the connection, if there is one. cause is the reason that
	// later calls report. [Disconnected] and [Reconnected] follow as events. It may be
	// called by any goroutine at any time: a call that waits for the back end ends.
	Disconnect(cause error)
}

// QueuePairSetter is a [Transport] that enables queue pairs itself, because its
// device has no control queue for the command (5.1.9.5.5). It offers CTRL_VQ with MQ,
// because MQ requires it, but there is no control queue to set up.
type QueuePairSetter interface {
	// SetQueuePairs has the device use the first n queue pairs, at least 1, and no
	// others. The queues of all n have been set up by SetQueue, otherwise the error
	// is an [*Error]. It is called by the same goroutine as the methods of Transport.
	SetQueuePairs(n int) error
}

// Announcer is a [Transport] whose back end can send packets that tell the network where
// an address is.
type Announcer interface {
	// Announce has the back end announce mac. The error is errors.ErrUnsupported if it has
	// not negotiated that it can. It is called by the same goroutine as the methods of
	// Transport.
	Announce(mac [6]byte) error
}

// Interrupter is a [Transport] whose device can interrupt when it has used a buffer. The
// methods are called by the same goroutine as those of Transport.
type Interrupter interface {
	// EnableInterrupts gives these queues an interrupt each when they are set up, from the
	// Reset that precedes the call to the next; no other queue has one. Queues share an
	// interrupt if there are too few. The error says why there are none, and is
	// errors.ErrUnsupported if the device has none. With no queues it has no effect.
	EnableInterrupts(queues []int) error
	// Interrupt returns the eventfd of the interrupt of a queue that SetQueue has set up.
	// It is written to when the device interrupts and never read, because queues may share
	// it: a sleeper waits for edges. It belongs to the transport, and stays open until the
	// next call of another method.
	Interrupt(q int) (fd int, err error)
}

// Describer is a [Transport] that says more about itself than its name, for people who
// look for a fault.
type Describer interface {
	// Describe returns what kind of transport this is, "PCI" or "vhost-user", and what else
	// there is to say, in the order in which it is shown. It is called by the same
	// goroutine as the methods of Transport.
	Describe() (kind string, details []Detail)
	// QueueVector returns the MSI-X vector of virtqueue q, -1 if it has none.
	QueueVector(q int) int
}

// Detail is a line of what a [Describer] says.
type Detail struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// QueueResetter is a [Transport] that can take one virtqueue from its device while the
// others are in use (2.6.1). Its methods are called as those of Transport are.
type QueueResetter interface {
	// CheckQueueReset returns nil if that is possible with this device and the features
	// that were accepted, otherwise a [*FeatureError] with reason and remedy.
	CheckQueueReset() error
	// ResetQueue has the device stop using virtqueue q and waits until it has confirmed
	// that: it does not access the areas of the queue and the buffers in it any more, and
	// SetQueue sets the queue up again, with the size and areas that are given then. When
	// it fails, or ctx ends first, the device may still be using them until the next Reset
	// is confirmed.
	ResetQueue(ctx context.Context, q int) error
}

// DMA is the memory that can be mapped.
type DMA struct {
	// Physical says that device addresses are physical addresses. Memory then has to
	// be in hugepages, which the kernel does not move.
	Physical bool
	// First and Last bound the addresses that may be chosen, both included.
	First, Last uint64
}

// Queue holds the device addresses of the areas of a virtqueue (2.7, 2.8).
type Queue struct {
	Size                 int
	Desc, Driver, Device uint64
	// NotificationData says that NOTIFICATION_DATA was negotiated: 32 bits are
	// written to the doorbell.
	NotificationData bool
	// NotifConfigData says that NOTIF_CONFIG_DATA was negotiated: in place of the
	// number of the queue a value that the device chose is written to the doorbell.
	NotifConfigData bool
}

// Notifier is how the device is notified of new buffers in a virtqueue. It may be
// used by one goroutine at a time.
type Notifier struct {
	Doorbell virtio.Doorbell
	// ID is the low 16 bits of the value to ring with: the number of the queue, or
	// with NOTIF_CONFIG_DATA the value that the device chose.
	ID uint16
}

// Event is what a device reports on its own.
type Event int

const (
	// ConfigChanged says that device configuration or status may have changed.
	ConfigChanged Event = iota
	// Removed says that the device is being removed and has to be closed at once.
	Removed
	// Disconnected says that the back end has ended the connection and that the
	// transport waits for the next one. Until Reconnected every call that needs a
	// connection fails with [ErrDisconnected]; the queues cannot be used again.
	Disconnected
	// Reconnected says that there is a connection to a back end, in the state after
	// a reset. It may be another back end with other features.
	Reconnected
)
