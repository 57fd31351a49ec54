package vhostback

import (
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// engine is what the messages of a peer act upon. Its methods are called by the
// goroutine that serves the peer, which is not the one that moves packets.
type engine interface {
	// offers returns the device features that a peer may accept.
	offers() virtio.Features
	// pairs is how many queue pairs there are.
	pairs() int
	// begin settles the features; rings may be started from now on. end stops
	// them all and forgets the features.
	begin(f virtio.Features)
	end()
	// remap replaces all memory, and the areas of those rings that are started.
	remap(t table, areas map[int][3][]byte) error
	// start starts a ring, disabled or as enable last said; stop returns where
	// it would go on. After stop and end no ring memory is touched.
	start(i int, v vdev.Vring) error
	stop(i int) uint16
	enable(i int, on bool)
	// kicked is called when the driver notified ring i, restless when there is a
	// ring that it cannot notify.
	kicked(i int)
	restless(on bool)
	// config is the device configuration, mtu the largest MTU it may announce.
	config() []byte
	mtu() int
	// failure says why the engine stopped by itself.
	failure() error
	close() error
}

// device is the engine that is the software device of package vdev.
type device struct {
	*vdev.Device
	cfg     vdev.Config
	stepped bool // somebody polls all the time
}

// transportOnly are features that make no sense over this transport: what needs
// a control queue, which a front end keeps to itself; what needs doorbells that
// carry a value; resets of single queues; and addresses that somebody else
// translates.
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

func (d *device) offers() virtio.Features { return d.Offered() }
func (d *device) pairs() int              { return d.Queues() / 2 }
func (d *device) begin(f virtio.Features) { d.Begin(f) }
func (d *device) end()                    { d.End() }
func (d *device) stop(i int) uint16       { return d.StopRing(i) }
func (d *device) enable(i int, on bool)   { d.EnableRing(i, on) }
func (d *device) kicked(i int)            { d.Notify(i, 0) }
func (d *device) restless(on bool)        { d.SetRestless(on) }
func (d *device) close() error            { return d.Close() }

func (d *device) start(i int, v vdev.Vring) error {
	if err := d.StartRing(i, v); err != nil {
		if failure := d.failure(); !d.Running() && failure != nil {
			return failure
		}
		return &RingError{Ring: i, Reason: err.Error()}
	}
	if d.stepped {
		d.Disarm()
	}
	return nil
}

func (d *device) remap(t table, areas map[int][3][]byte) error {
	all := make([]vdev.Mapping, len(t))
	for i, r := range t {
		all[i] = vdev.Mapping{Address: r.guest, Memory: r.mem}
	}
	return d.Remap(all, areas)
}

func (d *device) config() []byte {
	b := make([]byte, d.ConfigSize())
	d.CopyConfig(b)
	return b
}

func (d *device) mtu() int {
	if d.cfg.MTU == 0 {
		return 1500
	}
	return d.cfg.MTU
}

func (d *device) failure() error {
	v, failed := d.Failure()
	if !failed {
		return nil
	}
	return &RingError{Ring: v.Queue, Rule: v.Rule, Reason: v.Text}
}
