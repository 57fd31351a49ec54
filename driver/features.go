package driver

import (
	"net"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// implemented are the features that this driver does something about. Every
// other bit a device offers is as good as absent (2.2.1).
var implemented = virtio.FeatureSet(
	virtio.Version1, virtio.AccessPlatform, virtio.OrderPlatform,
	virtio.RingPacked, virtio.InOrder, virtio.RingIndirectDesc, virtio.RingEventIdx,
	virtio.NotificationData, virtio.NotifConfigData,
	virtio.NetMrgRxbuf, virtio.NetMAC, virtio.NetMTU, virtio.NetStatus, virtio.NetSpeedDuplex,
	virtio.NetCtrlVQ, virtio.NetMQ,
)

// terms is what a port and a device agree on, before any queue exists.
type terms struct {
	offered   virtio.Features
	bound     virtio.Features // what could be accepted when the port was opened
	features  virtio.Features // accepted
	pairs     int             // queue pairs to be used
	maxPairs  int             // queue pairs the device has
	deviceMTU int             // 0 if the device does not say
	mtu       int             // to be used
	mac       net.HardwareAddr
}

// propose works out what to accept of what t offers. It reads the device's
// configuration, which is allowed before FEATURES_OK (3.1.1), because a bound
// that makes no sense is best answered by not accepting its feature.
func (p *Port) propose() (*terms, error) {
	offered, err := p.t.DeviceFeatures()
	if err != nil {
		return nil, err
	}
	a := &terms{offered: offered, pairs: 1, maxPairs: 1}
	if refused := p.cfg.Refuse.Has(virtio.Version1); refused || !offered.Has(virtio.Version1) {
		return nil, &LegacyDeviceError{Device: p.name, Refused: refused && offered.Has(virtio.Version1)}
	}
	a.bound = offered.And(implemented).Minus(p.cfg.Refuse).Closure()
	if before := p.agreed.Load(); before != nil {
		// A device that is reset, or another back end, may have less to offer
		// than before; more is not taken.
		a.bound = before.bound
	}
	a.features = offered.And(a.bound).Closure()
	if p.cfg.MAC != nil {
		// With MAC accepted the device's address would have to be used (5.1.4.2).
		a.features = a.features.Without(virtio.NetMAC)
	}
	if err := p.proposePairs(a); err != nil {
		return nil, err
	}
	if err := p.proposeMTU(a); err != nil {
		return nil, err
	}
	return a, p.t.CheckFeatures(a.features)
}

// proposePairs settles the number of queue pairs. MQ and the control queue are
// accepted only if more than one pair comes of it: an unused control queue is
// one more thing that can go wrong.
func (p *Port) proposePairs(a *terms) error {
	wanted := p.cfg.Queues
	if len(p.rx) != 0 { // after a reset: as many as there are
		wanted = len(p.rx)
	}
	_, sets := p.t.(transport.QueuePairSetter)
	if a.features.Has(virtio.NetMQ) && wanted > 1 {
		if !sets {
			// QEMU's device has one pair and a control queue until the driver
			// has written that it accepts MQ. What is written here is not final
			// before FEATURES_OK.
			if err := p.t.SetDriverFeatures(a.features); err != nil {
				return err
			}
		}
		queues, err := p.t.Queues()
		if err != nil {
			return err
		}
		pairs, err := readConfig16(p.t, virtio.NetConfigMaxPairs)
		if err != nil {
			return err
		}
		// The control queue comes after all pairs, so all of them must exist.
		if pairs < 1 || pairs > virtio.MaxQueuePairs || 2*pairs+1 > queues {
			p.log.Warn("the device's max_virtqueue_pairs does not fit its number of virtqueues; using one pair",
				"max_virtqueue_pairs", pairs, "virtqueues", queues)
			pairs = 1
		}
		a.maxPairs = pairs
		a.pairs = min(wanted, pairs)
	}
	if a.pairs == 1 {
		a.features = a.features.Without(virtio.NetMQ).Without(virtio.NetCtrlVQ)
	}
	if sets { // there is no control queue, and no need for one
		a.features = a.features.Without(virtio.NetCtrlVQ)
	}
	if a.pairs < wanted {
		p.log.Warn("fewer queue pairs than asked for", "asked", wanted, "pairs", a.pairs)
	}
	return nil
}

// proposeMTU settles the MTU, and drops the feature MTU if the device's is below
// what an IPv4 link must carry.
func (p *Port) proposeMTU(a *terms) error {
	a.mtu = DefaultMTU
	if a.features.Has(virtio.NetMTU) {
		mtu, err := readConfig16(p.t, virtio.NetConfigMTU)
		if err != nil {
			return err
		}
		if mtu < virtio.MinMTU {
			p.log.Warn("the device's MTU is below 68 and ignored", "mtu", mtu)
			a.features = a.features.Without(virtio.NetMTU)
		} else {
			a.deviceMTU, a.mtu = mtu, mtu
		}
	}
	if p.cfg.MTU != 0 {
		a.mtu = p.cfg.MTU
	}
	if a.deviceMTU != 0 && a.mtu > a.deviceMTU {
		p.log.Warn("the MTU is lowered to the device's", "asked", a.mtu, "mtu", a.deviceMTU)
		a.mtu = a.deviceMTU
	}
	return nil
}

// negotiate hands the features to the device and reads back whether it takes
// them (3.1.1, steps 4 to 6).
func (p *Port) negotiate(features virtio.Features) error {
	if err := p.t.SetDriverFeatures(features); err != nil {
		return err
	}
	if err := p.raise(virtio.StatusFeaturesOK); err != nil {
		return err
	}
	status, err := p.t.Status()
	if err != nil {
		return err
	}
	if !status.Has(virtio.StatusFeaturesOK) {
		p.status &^= virtio.StatusFeaturesOK // what is written next must not set it again
		return &FeaturesRefusedError{Device: p.name, Status: status, Features: features}
	}
	return nil
}

// maxFrame is the longest frame that may be sent, 0 if nothing limits it.
func (a *terms) maxFrame(asked int) int {
	if a.deviceMTU == 0 && asked == 0 {
		return 0
	}
	return a.mtu + l2Header
}
