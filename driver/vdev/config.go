package vdev

import (
	"fmt"
	"log/slog"
	"net"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Config describes the device that [New] or [NewVhost] makes. The zero value is a
// device with one queue pair and every feature of this package, connected to
// nothing.
type Config struct {
	// Offer is the feature set offered to the driver. Empty means all that
	// [Implemented] returns and that fits the other fields: no MQ with one pair, no
	// IN_ORDER with OutOfOrder, and offloads only with an [OffloadBackend], because with
	// another one the device has to do their work. It may have bits that the device does
	// not implement, to see whether a driver accepts them.
	Offer virtio.Features
	// Refuse is taken out of what is offered.
	Refuse virtio.Features

	MAC   net.HardwareAddr // nil: 02:00:00:00:00:01
	MTU   int              // 68 to 65535; 0: 1500
	Pairs int              // queue pairs, 1 to 0x8000; 0: 1

	// QueueSize is the largest size of a queue; 0: 256. Sizes that are no power of
	// two make sense on a packed ring only.
	QueueSize int
	// QueueSizes overrides QueueSize for single virtqueues; 0 means that the
	// queue does not exist.
	QueueSizes map[int]int

	// Filter has the device filter received frames by their address from a reset on, if the
	// driver accepts CTRL_RX. Without it the device begins in promiscuous mode, as QEMU's
	// does; the specification leaves that open.
	Filter bool
	// MACTable is how many unicast and how many multicast addresses the device filters
	// by; if a driver sets more, all such addresses pass. 0: 64.
	MACTable int

	// RSSKeySize and RSSTable are the longest key and the longest indirection table that
	// a driver may set, HashTypes the packets that the device calculates a hash for, and
	// TunnelTypes the encapsulations inside which it can.
	// 0: 40 bytes, 128 entries, and all. The specification has 40 and 128 at least.
	RSSKeySize, RSSTable int
	HashTypes            virtio.HashTypes
	TunnelTypes          virtio.TunnelTypes

	// Backend is what the device is connected to, see package wire; nil: transmitted
	// frames are discarded and none are received.
	Backend Backend
	// Hold makes a frame wait where it would be dropped otherwise: a received one
	// until the driver posts buffers, which delays those behind it, a transmitted
	// one in its ring until the back end takes it. No frame is lost between two
	// devices with Hold. Without it a device drops and counts, as a network card
	// does.
	Hold bool

	// OutOfOrder uses buffers in another order than they were made available, which
	// is the same in every run.
	OutOfOrder bool
	// BatchUsed lets one used entry stand for a batch of transmitted buffers
	// when IN_ORDER was negotiated.
	BatchUsed bool

	// Translated says that the device's addresses go through an IOMMU, so that
	// a driver must not use it without ACCESS_PLATFORM.
	Translated bool

	// Burst is how many buffers one turn takes from one queue at most; 0: 32, 64 at
	// most. It keeps one busy queue from starving the others.
	Burst int
	// IdleTurns is how many turns without work a started device makes before it
	// asks for notifications and sleeps; 0: 256.
	IdleTurns int

	// Command is called for each command on the control queue that the device answers,
	// with the device's lock held: it must not call the device. It may be nil.
	Command func(c Command)

	// Faults are misbehaviours from the start on; see [Device.SetFaults].
	Faults Faults

	// Logger receives violations and state changes; nil discards them.
	Logger *slog.Logger
}

// Command is a command on the control queue (5.1.9.5).
type Command struct {
	Class, Command byte
	Data           []byte // not to be kept
	Ack            byte
}

// Faults are ways in which the device misbehaves towards the driver.
type Faults struct {
	// ResetReads is how many reads of the status still return its old value after a
	// reset was requested; until then the device goes on using its rings. -1: the
	// reset never completes.
	ResetReads int
	// QueueResetReads is the same for the reset of a virtqueue and reads of queue_reset.
	QueueResetReads int
	// LargestQueue, unless it is 0, has queue_size ignore larger sizes, although it shows
	// that they are possible.
	LargestQueue int
	// RefuseFeatures clears FEATURES_OK independently of what the driver accepted.
	RefuseFeatures bool
	// RxHeader changes the header of every packet for the driver, all of it but
	// num_buffers, which is set afterwards. It is called with the device's lock held and
	// must not call the device. nil changes nothing.
	RxHeader func(header []byte)
	// GenerationFlaps is how many reads of the device configuration are each
	// followed by a change of its generation. -1: all.
	GenerationFlaps int

	// Ctrl is what happens to commands on the control queue. The first CtrlAfter of them
	// since SetFaults are carried out, then it happens to CtrlTimes, 0: to all.
	Ctrl                 CtrlFault
	CtrlAfter, CtrlTimes int
	// IgnoreAnnounceAck goes on asking for an announcement when it was acknowledged.
	IgnoreAnnounceAck bool
}

const (
	defaultMTU       = 1500
	defaultQueueSize = 256
	defaultBurst     = 32
	maxBurst         = 64
	defaultIdleTurns = 256
	maxRSSTable      = 32768
)

// complete fills in the defaults and checks the configuration.
func (c Config) complete() (Config, error) {
	orDefault(&c.MTU, defaultMTU)
	orDefault(&c.Pairs, 1)
	orDefault(&c.QueueSize, defaultQueueSize)
	orDefault(&c.Burst, defaultBurst)
	orDefault(&c.IdleTurns, defaultIdleTurns)
	orDefault(&c.MACTable, defaultMACTable)
	orDefault(&c.RSSKeySize, virtio.MinRSSKeySize)
	orDefault(&c.RSSTable, virtio.MinRSSTable)
	if c.HashTypes == 0 {
		c.HashTypes = virtio.HashAll
	}
	if c.TunnelTypes == 0 {
		c.TunnelTypes = virtio.TunnelAll
	}
	if c.MAC == nil {
		c.MAC = net.HardwareAddr{2, 0, 0, 0, 0, 1}
	}
	if c.Backend == nil {
		c.Backend = unconnected{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, c.check()
}

func orDefault(v *int, value int) {
	if *v == 0 {
		*v = value
	}
}

func (c Config) check() error {
	bad := func(field string, value any, reason, remedy string) error {
		return &Error{Op: opConfig, Field: field, Value: value, Reason: reason, Remedy: remedy}
	}
	const outOfRange, register = "out of range", "the register has 16 bits"
	switch {
	case len(c.MAC) != 6:
		return bad("MAC", c.MAC, "an address has 6 bytes", "")
	case c.MTU < 0 || c.MTU > 65535:
		return bad("MTU", c.MTU, outOfRange, "give 68 to 65535")
	case c.Pairs < 1 || c.Pairs > virtio.MaxQueuePairs:
		return bad("Pairs", c.Pairs, outOfRange, "give 1 to 32768")
	case c.Burst < 1 || c.Burst > maxBurst:
		return bad("Burst", c.Burst, outOfRange, fmt.Sprintf("give 1 to %d", maxBurst))
	case c.QueueSize < 0 || c.QueueSize > 0xffff:
		return bad("QueueSize", c.QueueSize, register, "give 1 to 32768")
	case c.MACTable < 0:
		return bad("MACTable", c.MACTable, "negative", "give a positive number")
	case c.RSSKeySize < 0 || c.RSSKeySize > 255:
		return bad("RSSKeySize", c.RSSKeySize, "the field has 8 bits", "give 1 to 255")
	case c.RSSTable < 0 || c.RSSTable > maxRSSTable:
		return bad("RSSTable", c.RSSTable, outOfRange, fmt.Sprintf("give 1 to %d", maxRSSTable))
	case c.IdleTurns < 0:
		return bad("IdleTurns", c.IdleTurns, "negative", "give a positive number")
	}
	for q, size := range c.QueueSizes {
		if size < 0 || size > 0xffff {
			return bad(fmt.Sprintf("QueueSizes[%d]", q), size, register, "give 0 to 32768")
		}
	}
	return nil
}

// Implemented returns the features that a [Device] implements.
func Implemented() virtio.Features {
	return virtio.FeatureSet(
		virtio.NetCtrlOffloads, virtio.NetMTU, virtio.NetMAC, virtio.NetMrgRxbuf, virtio.NetStatus, virtio.NetCtrlVQ,
		virtio.NetCtrlRx, virtio.NetCtrlVLAN, virtio.NetCtrlRxExtra, virtio.NetAnnounce, virtio.NetMQ,
		virtio.NetCtrlMACAddr, virtio.NetDeviceStats, virtio.NetVQNotfCoal, virtio.NetNotfCoal, virtio.NetHashReport,
		virtio.NetRSS, virtio.NetHashTunnel, virtio.NetSpeedDuplex,
		virtio.RingIndirectDesc, virtio.RingEventIdx, virtio.Version1, virtio.AccessPlatform, virtio.RingPacked,
		virtio.InOrder, virtio.OrderPlatform, virtio.NotificationData, virtio.NotifConfigData, virtio.RingReset).
		Or(allOffloads)
}

// offer returns the features that a device of this configuration offers.
func (c Config) offer() virtio.Features {
	f := c.Offer
	if f.Empty() {
		f = Implemented()
		if c.Pairs == 1 {
			f = f.Without(virtio.NetMQ)
		}
		if c.OutOfOrder {
			f = f.Without(virtio.InOrder)
		}
		if _, ok := c.Backend.(OffloadBackend); !ok {
			f = f.Minus(allOffloads)
		}
		// Not those that depend on what is refused. (Over vhost-user MQ is offered without
		// CTRL_VQ, which the front end has.)
		f = f.Minus(c.Refuse)
		return f.Minus(allOffloads.Minus(f.Closure()))
	}
	return f.Minus(c.Refuse)
}
