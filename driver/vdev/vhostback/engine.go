package vhostback

import (
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// engine is what the messages of a peer act upon. Its methods are called by the
// goroutine that serves the peer, except Poll, which moves packets.
type engine interface {
	// Offered returns the device features that a peer may accept.
	Offered() virtio.Features
	// Pairs returns how many queue pairs there are.
	Pairs() int
	// Begin settles the features; rings may be started from now on. End stops
	// them all and forgets the features.
	Begin(f virtio.Features)
	End()
	// Remap replaces all memory, and the areas of those rings that are started.
	Remap(all []vdev.Mapping, areas map[int][3][]byte) error
	// StartRing starts a ring, disabled or as EnableRing last said; StopRing
	// returns where it would go on. After StopRing and End no ring memory is
	// touched.
	StartRing(i int, v vdev.Vring) error
	StopRing(i int) uint16
	EnableRing(i int, on bool)
	// Notify is called when the driver kicked ring i, SetNoKick with true while
	// there is a ring that it cannot kick.
	Notify(i int)
	SetNoKick(on bool)
	// Config returns the device configuration, MTU the largest MTU that a driver
	// may announce.
	Config() []byte
	MTU() int
	// Failure returns what made the engine stop since Begin, false if nothing did.
	Failure() (vdev.Violation, bool)
	Stats() vdev.Stats
	// Poll moves packets, at most a burst from each ring, and returns how many.
	Poll() int
	Close() error
}

// failure returns why the engine stopped by itself, nil if it did not.
func failure(e engine) error {
	if v, failed := e.Failure(); failed {
		return &RingError{Ring: v.Queue, Rule: v.Rule, Reason: v.Text}
	}
	return nil
}

// device is the engine that is the software device of package vdev.
type device struct {
	*vdev.Device
	cfg     vdev.Config
	stepped bool // the caller polls all the time
}

// transportOnly are features that make no sense over this transport: what needs
// a control queue, which a front end keeps to itself; what needs doorbells that
// carry a value; resets of single queues; and addresses that an IOMMU translates.
var transportOnly = virtio.FeatureSet(virtio.NetCtrlVQ, virtio.NotificationData, virtio.NotifConfigData, virtio.RingReset,
	virtio.AccessPlatform, virtio.OrderPlatform)

func newDevice(cfg vdev.Config, irq vdev.Interrupts, stepped bool) (*device, error) {
	cfg.Refuse = cfg.Refuse.Or(transportOnly)
	d, err := vdev.New(cfg, irq)
	if err != nil {
		return nil, err
	}
	return &device{d, cfg, stepped}, nil
}

func (d *device) Pairs() int        { return d.Queues() / 2 }
func (d *device) Notify(i int)      { d.Device.Notify(i, 0) }
func (d *device) SetNoKick(on bool) { d.SetRestless(on) }

func (d *device) StartRing(i int, v vdev.Vring) error {
	err := d.Device.StartRing(i, v)
	if err == nil && d.stepped {
		d.Disarm()
	}
	return err
}

func (d *device) Config() []byte {
	b := make([]byte, d.ConfigSize())
	d.CopyConfig(b)
	return b
}

func (d *device) MTU() int {
	if d.cfg.MTU == 0 {
		return 1500
	}
	return d.cfg.MTU
}
