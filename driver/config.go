package driver

import (
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// Defaults.
const (
	// DefaultQueueSize is the number of descriptors of a queue. A device that
	// allows fewer gets its own maximum.
	DefaultQueueSize = 1024
	// DefaultMTU is the MTU when neither the Config nor the device has one.
	DefaultMTU = 1500

	// DefaultResetTimeout bounds a reset of the device.
	DefaultResetTimeout = 3 * time.Second
	// DefaultControlTimeout bounds a call that sends commands on the control queue.
	DefaultControlTimeout = time.Second
)

// Config says how a port is to be set up. The zero value is a port with one pair
// of queues, all features that the driver implements, and a pool of its own.
type Config struct {
	// Queues is the number of queue pairs wanted; 0 means 1. A device with
	// fewer gives fewer: [Port.Queues] returns the number.
	Queues int
	// RxQueueSize and TxQueueSize are the descriptors of each queue: at most
	// what the device allows, and a power of two unless the ring is packed.
	// 0 means the smaller of [DefaultQueueSize] and what the device allows.
	RxQueueSize, TxQueueSize int
	// Refuse are features not to be accepted even if the device offers them.
	Refuse virtio.Features
	// Request are features to be accepted if the device offers them, beyond those that
	// the driver accepts by default: see [Features].
	Request virtio.Features
	// Require are features without which Open fails, with an [*Error] that is
	// [errors.ErrUnsupported]. They are requested as well.
	Require virtio.Features
	// MAC is an address to use in place of the device's own. A device with CTRL_RX and
	// CTRL_MAC_ADDR is told, so that it receives packets for it. Of any other the feature
	// MAC is then not accepted, because accepting it is to promise to use the device's
	// address, and whether packets for this one arrive is up to the device.
	MAC net.HardwareAddr
	// MTU is the largest packet without its Ethernet header, 68 to 65535. 0
	// means the device's, or [DefaultMTU] if it has none. One above the
	// device's is lowered to it.
	MTU int
	// Pool is where received packets go. It may be shared by several ports, and is
	// released by the caller, also while ports have it: they keep its memory until they
	// are closed.
	//
	// A pool is accepted if it has RxQueueSize buffers for each receive queue that is
	// filled from it, of all its ports, and [MinSpare] for each transmit queue that can
	// send its buffers, those of ports that it is attached to as well. Otherwise Open and
	// Attach fail with a [*PoolError], which says how many it takes. A pool that was
	// accepted keeps every queue moving: what is not in receive rings is shared out, two
	// thirds for packets in flight, the same for each transmit queue, and a third for
	// the caches, so that there is always a buffer for a receive queue that has none. A
	// packet of n segments counts n times. What the application keeps for longer than a
	// burst comes on top, and each queue has to be polled: a Burst without packets is
	// enough for a transmit queue.
	//
	// No queue is held back at all by a pool that has, for each of its ports,
	//
	//	Queues * (RxQueueSize + 3/2*TxQueueSize + 4*cache + burst)
	//
	// buffers, where cache is 256 and burst what the application holds. A receive queue
	// that finds the pool empty counts NoMbuf.
	//
	// nil gives the port a pool of its own, of that size with a burst of 1024.
	Pool *mbuf.Pool
	// Memory says where the rings and the port's own pool come from. Its Bytes
	// are not used, and First and Last follow from the device unless set.
	Memory hugepages.Options
	// DeviceDrops returns how many packets the device took and dropped, and their
	// bytes, where this program can ask the device, as it can one in software. [Stats]
	// counts them as dropped and not as sent. Any goroutine calls it, at any time. It
	// may be nil.
	DeviceDrops func() (packets, bytes uint64)
	// DeviceMisses returns how many packets the device received and dropped because no
	// buffer was there or none was large enough, as DeviceDrops does those that were
	// sent. [Stats] counts them as RxMissed. It may be nil.
	DeviceMisses func() uint64
	// DeviceFiltered returns how many packets the device received and kept away because of
	// the filters that the port has set, as DeviceMisses does. [Stats] counts them as
	// RxFiltered. It may be nil.
	DeviceFiltered func() uint64
	// Logger receives events that are not returned as errors; nil discards them.
	Logger *slog.Logger
	// ResetTimeout bounds every wait for the device to finish a reset; 0
	// means [DefaultResetTimeout].
	ResetTimeout time.Duration
	// ControlTimeout bounds every call that sends commands on the control queue, with
	// its wait for other calls and for a recovery, and each command of the set-up; 0 means
	// [DefaultControlTimeout].
	ControlTimeout time.Duration
	// Interrupts lets [RxQueue.Wait] and [Waiter] sleep until the device interrupts. A
	// device that cannot, or refuses, fails Open with an error that is
	// [errors.ErrUnsupported]. Polling costs no more with it: the device interrupts only
	// while a goroutine sleeps.
	Interrupts bool
	// Recovery says how a port that failed is recovered.
	Recovery Recovery
}

// macRemedy says what the address of an interface is.
const macRemedy = "6 bytes, not all zero, the lowest bit of the first one 0, as 02:00:00:00:00:01"

// complete checks what can be checked without the device and fills in defaults.
func (c *Config) complete() error {
	if c.Queues < 0 || c.Queues > virtio.MaxQueuePairs {
		return &Error{Op: "config", Field: "Queues", Value: c.Queues,
			Reason: "not between 1 and 32768", Remedy: "0 means 1"}
	}
	for _, s := range []struct {
		name string
		size int
	}{{"RxQueueSize", c.RxQueueSize}, {"TxQueueSize", c.TxQueueSize}} {
		if err := c.checkSize(s.name, s.size); err != nil {
			return err
		}
	}
	if c.MTU != 0 && (c.MTU < virtio.MinMTU || c.MTU > maxMTU) {
		return &Error{Op: "config", Field: "MTU", Value: c.MTU,
			Reason: "not between 68 and 65535", Remedy: "0 leaves it to the device"}
	}
	c.MAC = slices.Clone(c.MAC)
	if c.MAC != nil && !usable(c.MAC) {
		return &Error{Op: "config", Field: "MAC", Value: c.MAC,
			Reason: "not the address of one Ethernet interface",
			Remedy: macRemedy}
	}
	c.Queues = max(c.Queues, 1)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.ResetTimeout <= 0 {
		c.ResetTimeout = DefaultResetTimeout
	}
	if c.ControlTimeout <= 0 {
		c.ControlTimeout = DefaultControlTimeout
	}
	c.Recovery.complete()
	return nil
}

// checkSize refuses queue sizes that no device could have.
func (c *Config) checkSize(name string, size int) error {
	if size < 0 || size > virtio.MaxQueueSize {
		return &Error{Op: "config", Field: name, Value: size,
			Reason: "no virtqueue has that size", Remedy: "1 to 32768, or 0 for the default"}
	}
	if c.Refuse.Has(virtio.RingPacked) && size&(size-1) != 0 {
		return splitSizeError("", name, size)
	}
	return nil
}

// splitSizeError returns the error of a size that a split ring cannot have (2.7).
func splitSizeError(device, name string, size int) error {
	return &Error{Device: device, Field: name, Value: size,
		Reason: "the size of a split ring is a power of two",
		Remedy: "take a power of two, or a device that offers RING_PACKED and do not refuse that"}
}
