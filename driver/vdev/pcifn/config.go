package pcifn

import (
	"fmt"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/pci"
)

// Config describes the function that [New] makes. The zero value is a modern network
// device behind an IOMMU, with one queue pair and connected to nothing.
type Config struct {
	// Address is the name of the function in messages; "": "emulated".
	Address string
	// Device is the device behind the function. Its Translated field is set by
	// New, and ACCESS_PLATFORM is not offered by default with Physical.
	Device vdev.Config

	// Transitional gives the function the device ID 0x1000 and revision 0. Its
	// modern interface is the same.
	Transitional bool
	// LegacyOnly makes a transitional function without virtio capabilities.
	LegacyOnly bool

	// Vectors is the size of the MSI-X table, 1 to 2048; 0: one for each
	// virtqueue and one for configuration changes; NoMSIX: no MSI-X at all.
	Vectors int
	// RefuseVector returns true for vectors that the device refuses: the register
	// reads as NO_VECTOR. nil: none.
	RefuseVector func(v uint16) bool

	// NotifyMultiplier is notify_off_multiplier, a power of two from 2; 0: 4;
	// SharedDoorbell: 0, one doorbell for all queues. 4096 is what QEMU calls
	// page-per-vq. With 2, and with NotifyLength below what NOTIFICATION_DATA
	// needs, that feature should not be offered.
	NotifyMultiplier int
	// NotifyOff overrides queue_notify_off; nil: the number of the queue. The
	// doorbell of a queue stays at its number times the multiplier.
	NotifyOff func(q int) uint16
	// NotifyLength overrides the length field of the notification capability.
	NotifyLength uint32
	// PIONotify adds a notification structure in I/O space.
	PIONotify bool

	// Physical is true if no IOMMU translates the addresses of the function.
	Physical bool
	// Ranges are the device addresses that can be mapped; nil: all.
	Ranges []pci.Range

	// Log keeps every access for [Function.Log].
	Log bool
	// Hooks are called for every access and may change it.
	Hooks Hooks
}

// Values of [Config] fields that stand for "none".
const (
	NoMSIX         = -1
	SharedDoorbell = -1
)

// Hooks are called for every access that the driver makes, and may change it. They
// are called without a lock held, in the goroutine of the driver: they may use the
// [Function] and its [vdev.Device].
type Hooks struct {
	// Read returns what the driver sees of a read that had the result v.
	Read func(bar int, off uint64, width int, v uint32) uint32
	// Write returns what is written in place of v, and false if nothing is.
	Write func(bar int, off uint64, width int, v uint32) (uint32, bool)
	// ReadConfig and WriteConfig are the same for configuration space.
	ReadConfig  func(off, width int, v uint32) uint32
	WriteConfig func(off, width int, v uint32) (uint32, bool)
}

func (c Config) complete() (Config, error) {
	if c.Address == "" {
		c.Address = "emulated"
	}
	if c.Device.Pairs == 0 {
		c.Device.Pairs = 1
	}
	c.Device.Translated = !c.Physical
	if c.Device.Offer.Empty() {
		if c.Physical {
			c.Device.Refuse = c.Device.Refuse.With(virtio.AccessPlatform)
		}
		if c.NotifyMultiplier == 2 {
			// A doorbell of 32 bits would not be aligned.
			c.Device.Refuse = c.Device.Refuse.With(virtio.NotificationData)
		}
	}
	switch c.Vectors {
	case 0:
		c.Vectors = min(2*c.Device.Pairs+2, maxVectors)
	case NoMSIX:
		c.Vectors = 0
	}
	switch c.NotifyMultiplier {
	case 0:
		c.NotifyMultiplier = 4
	case SharedDoorbell:
		c.NotifyMultiplier = 0
	}
	return c, c.check()
}

const (
	maxVectors = 2048
	opConfig   = "PCI function configuration"
)

func (c Config) check() error {
	m := c.NotifyMultiplier
	switch {
	case c.Vectors < 0 || c.Vectors > maxVectors:
		return &vdev.Error{Op: opConfig, Field: "Vectors", Value: c.Vectors,
			Reason: "an MSI-X table has 1 to 2048 vectors", Remedy: "NoMSIX for none"}
	case m < 0 || m == 1 || m > 1<<20 || m&(m-1) != 0:
		return &vdev.Error{Op: opConfig, Field: "NotifyMultiplier", Value: m, Reason: "invalid",
			Remedy: "give a power of two from 2 to 1048576, or SharedDoorbell"}
	}
	for _, r := range c.Ranges {
		if r.Last < r.First {
			return &vdev.Error{Op: opConfig, Field: "Ranges", Value: fmt.Sprintf("%#x-%#x", r.First, r.Last),
				Reason: "the range ends before it begins"}
		}
	}
	return nil
}
