// Package transport is the seam between the driver and what carries it to a
// device: a PCI function, a vhost-user socket, a vDPA node.
package transport

import (
	"context"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// Transport is one virtio device as its transport shows it. It is used to set
// a device up, to watch it and to take it down; a packet crosses it never, a
// burst only when it rings a doorbell.
//
// Apart from Events the methods are for one goroutine at a time.
type Transport interface {
	// Name says which device this is and how it is reached, for people.
	Name() string

	// Reset writes 0 to the device status and waits until it reads back 0
	// (2.4.1). When ctx ends first the device may still be using its memory:
	// the error is a *ResetError and nothing may be released that was mapped.
	Reset(ctx context.Context) error
	// Status reads the device status. The error of a device that
	// was removed is ErrRemoved.
	Status() (virtio.Status, error)
	// SetStatus writes the device status.
	SetStatus(s virtio.Status) error

	// DeviceFeatures reads what the device offers.
	DeviceFeatures() (virtio.Features, error)
	// SetDriverFeatures writes what the driver accepts.
	SetDriverFeatures(f virtio.Features) error
	// CheckFeatures tells whether the transport can work with the set that is
	// about to be accepted; a *FeatureError says why not and what to do.
	CheckFeatures(f virtio.Features) error

	// ReadConfig fills b from device configuration at off with accesses of
	// width bytes, all of one configuration generation (2.5.1).
	ReadConfig(off, width int, b []byte) error

	// Queues returns how many virtqueues the device has.
	Queues() (int, error)
	// QueueSize returns the largest size of virtqueue q, 0 if it does not exist.
	QueueSize(q int) (int, error)
	// SetQueue hands the areas of virtqueue q to the device and enables it.
	SetQueue(q int, areas Queue) (Notifier, error)

	// DMA says which device addresses can be used, and whether they are
	// physical ones.
	DMA() DMA
	// MapDMA lets the device reach mem and returns the device address of each
	// of its pages. Mapping the same memory twice returns the same addresses.
	MapDMA(mem *hugepages.Memory) ([]uint64, error)
	// UnmapDMA takes the mapping back. The device must have been reset.
	UnmapDMA(mem *hugepages.Memory) error

	// Events delivers what the device reports on its own. The channel is
	// closed by Close.
	Events() <-chan Event

	// Close gives the device back. Every queue should have been stopped by
	// Reset; a device that was not is kept from its memory in the hardest way
	// there is. Memory may be released afterwards unless the error is a
	// *StopError. It may be called more than once.
	Close() error
}

// Disconnecter is a Transport that can have its back end go and wait for the next
// one.
type Disconnecter interface {
	// Disconnect ends the connection that there is, if any, for the reason cause.
	Disconnect(cause error)
}

// QueuePairSetter is a Transport that enables queue pairs itself, because its device
// has no control queue to be told so (5.1.9.5.5). Its features then have CTRL_VQ
// with MQ, so that MQ stands, but there is no control queue to set up.
type QueuePairSetter interface {
	// SetQueuePairs has the device use the first n queue pairs, at least 1, and no
	// others. The queues of all n have been set up.
	SetQueuePairs(n int) error
}

// DMA tells which memory can be mapped.
type DMA struct {
	// Physical memory must be in hugepages: its addresses are fixed by where
	// the pages are.
	Physical bool
	// First and Last bound the addresses that may be chosen, both included.
	First, Last uint64
}

// Queue says where the areas of a virtqueue are, as device addresses (2.7, 2.8).
type Queue struct {
	Size                 int
	Desc, Driver, Device uint64
	// NotificationData is true if NOTIFICATION_DATA was negotiated: the
	// doorbell then takes 32 bits.
	NotificationData bool
	// NotifConfigData is true if NOTIF_CONFIG_DATA was negotiated: the
	// doorbell then carries a value of the device's choice, which SetQueue
	// returns in place of the queue's number.
	NotifConfigData bool
}

// Notifier is how a virtqueue's device is notified of new buffers.
type Notifier struct {
	Doorbell virtio.Doorbell
	// ID is what the low 16 bits of the rung value are: the number of the
	// queue, or what the device asked for with NOTIF_CONFIG_DATA.
	ID uint16
}

// Event is something the device reports on its own.
type Event int

const (
	// ConfigChanged: device configuration or status may have changed.
	ConfigChanged Event = iota
	// Removed: the device is being taken away and has to be closed at once.
	Removed
	// Disconnected: the back end has gone and the transport is waiting for it
	// to come back. Until Reconnected every call that needs it fails with
	// ErrDisconnected; the queues are dead for good.
	Disconnected
	// Reconnected: a back end is there, in the state after a reset. It need not
	// be the old one, nor offer the same.
	Reconnected
)
