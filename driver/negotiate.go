package driver

import (
	"errors"
	"fmt"
	"net"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/virtq"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// negotiated is what the driver and a device have agreed on, and what follows from
// it, before any queue exists.
type negotiated struct {
	offered   virtio.Features
	allowed   virtio.Features // what could be accepted when the port was opened
	features  virtio.Features // accepted
	pairs     int             // queue pairs to be used
	maxPairs  int             // queue pairs the device has
	deviceMTU int             // 0 if the device does not say
	mtu       int             // to be used
	mac       net.HardwareAddr
	rss       RSSLimits                 // none without RSS and HASH_REPORT
	dropped   map[virtio.Feature]string // why features that the driver accepts were not
}

// drop takes a feature out of those to be accepted, if it is there, and remembers why.
func (n *negotiated) drop(f virtio.Feature, why string) {
	if !n.features.Has(f) {
		return
	}
	if n.dropped == nil {
		n.dropped = map[virtio.Feature]string{}
	}
	n.features, n.dropped[f] = n.features.Without(f), why
}

// negotiate negotiates features and reads what depends on them. d.mu is held.
func (d *device) negotiate() (*negotiated, error) {
	n, err := d.selectFeatures()
	if err != nil {
		return nil, err
	}
	if had := len(d.rx); had != 0 && n.pairs < had {
		return nil, &Error{Device: d.name, Field: "queue pairs", Value: n.pairs,
			Reason: fmt.Sprintf("the device has fewer after its reset than the %d in use", had)}
	}
	if err := d.acceptFeatures(n.features); err != nil {
		return nil, err
	}
	var last net.HardwareAddr
	if before := d.current.Load(); before != nil {
		last = before.mac
	}
	n.mac, err = d.selectMAC(n.features, last)
	return n, err
}

// selectFeatures selects what to accept of what the device offers. It reads the
// device configuration, which is allowed before FEATURES_OK (3.1.1), because the
// answer to an invalid value is not to accept its feature. d.mu is held.
func (d *device) selectFeatures() (*negotiated, error) {
	offered, err := d.t.DeviceFeatures()
	if err != nil {
		return nil, err
	}
	n := &negotiated{offered: offered, pairs: 1, maxPairs: 1}
	if err := d.checkVersion(offered); err != nil {
		return nil, err
	}
	n.allowed = offered.And(d.cfg.acceptable()).Closure()
	if before := d.current.Load(); before != nil {
		// A device that is reset, or another back end, may offer less than
		// before; more is not accepted.
		n.allowed = before.allowed
	}
	n.features = offered.And(n.allowed).Closure()
	d.selectLargeReceive(n)
	if err := d.selectPairs(n); err != nil {
		return nil, err
	}
	if err := d.selectControl(n); err != nil {
		return nil, err
	}
	if err := d.selectRSS(n); err != nil {
		return nil, err
	}
	if err := d.selectMTU(n); err != nil {
		return nil, err
	}
	if err := d.checkRequired(n); err != nil {
		return nil, err
	}
	return n, d.t.CheckFeatures(n.features)
}

// checkVersion refuses a legacy device: this driver has no legacy interface.
func (d *device) checkVersion(offered virtio.Features) error {
	switch {
	case !offered.Has(virtio.Version1):
		return &Error{Device: d.name, kind: errors.ErrUnsupported,
			Reason: "the device does not offer VERSION_1: " +
				"it is a legacy device, which this driver does not support",
			Remedy: "have the host offer a modern one (QEMU: disable-legacy=on)"}
	case d.cfg.Refuse.Has(virtio.Version1):
		return &Error{Device: d.name, kind: errors.ErrUnsupported,
			Reason: "VERSION_1 cannot be refused: there is no other interface",
			Remedy: "take it out of Config.Refuse"}
	}
	return nil
}

// selectPairs selects the number of queue pairs. MQ is accepted only if more than one
// pair comes of it. d.mu is held.
func (d *device) selectPairs(n *negotiated) error {
	wanted := d.cfg.Queues
	if len(d.rx) != 0 { // after a reset: as many as there are
		wanted = len(d.rx)
	}
	_, sets := d.t.(transport.QueuePairSetter)
	if (n.features.Has(virtio.NetMQ) || n.features.Has(virtio.NetRSS)) && wanted > 1 {
		if !sets {
			// QEMU's device has one pair and a control queue until the driver
			// has written that it accepts MQ. What is written here is not final
			// before FEATURES_OK.
			if err := d.t.SetDriverFeatures(n.features); err != nil {
				return err
			}
		}
		queues, err := d.t.Queues()
		if err != nil {
			return err
		}
		pairs, err := readConfig16(d.t, virtio.NetConfigMaxPairs)
		if err != nil {
			return err
		}
		// The control queue comes after all pairs, so all of them must exist.
		if pairs < 1 || pairs > virtio.MaxQueuePairs || 2*pairs+1 > queues {
			d.log.Warn("max_virtqueue_pairs does not fit the number of virtqueues; using one pair",
				"max_virtqueue_pairs", pairs, "virtqueues", queues)
			pairs = 1
		}
		n.maxPairs = pairs
		n.pairs = min(wanted, pairs)
	}
	if n.pairs == 1 {
		n.drop(virtio.NetMQ, "one queue pair is used")
	}
	if n.pairs < wanted {
		d.log.Warn("fewer queue pairs than asked for", "asked", wanted, "pairs", n.pairs)
	}
	return nil
}

// selectLargeReceive drops large receive if the buffers are too small for it: without
// MRG_RXBUF a packet of 64 KiB must fit one (5.1.9.3.1). d.mu is held.
func (d *device) selectLargeReceive(n *negotiated) {
	if n.features.Has(virtio.NetMrgRxbuf) || d.cfg.Pool != nil && d.cfg.Pool.DataRoom() >= virtq.MinLargeRoom {
		return
	}
	for _, f := range []virtio.Feature{virtio.NetGuestTSO4, virtio.NetGuestTSO6, virtio.NetGuestECN,
		virtio.NetGuestUSO4, virtio.NetGuestUSO6, virtio.NetRSCExt} {
		n.drop(f, fmt.Sprintf("without MRG_RXBUF it takes a pool with buffers of %d bytes", virtq.MinLargeRoom))
	}
}

// selectControl drops the control queue if there is none, and features that are of no use
// without others. d.mu is held.
func (d *device) selectControl(n *negotiated) error {
	if _, sets := d.t.(transport.QueuePairSetter); sets {
		pairs := n.features.Has(virtio.NetMQ)
		n.drop(virtio.NetCtrlVQ, "the transport enables queue pairs itself")
		if n.features = n.features.Closure(); pairs {
			n.features = n.features.With(virtio.NetMQ)
		}
	} else if n.features.Has(virtio.NetCtrlVQ) {
		queues, err := d.t.Queues()
		if err != nil {
			return err
		}
		if need := virtio.CtrlQueueIndex(n.features, n.maxPairs) + 1; queues < need {
			d.log.Warn("the device offers CTRL_VQ and has no virtqueue for it; it is not accepted",
				"virtqueues", queues, "needed", need)
			n.drop(virtio.NetCtrlVQ, "the device has no virtqueue for it")
			n.features = n.features.Closure()
		}
	}
	if !n.features.Has(virtio.NetStatus) {
		n.drop(virtio.NetAnnounce, "without STATUS the device has no field to ask in")
	}
	if n.features.And(guestOffloads).Empty() {
		n.drop(virtio.NetCtrlOffloads, "no receive offload was accepted")
	}
	if d.settings.mac.address != nil && !macNeeds.Minus(n.features).Empty() {
		// With MAC accepted the device's address would have to be used (5.1.4.2).
		n.drop(virtio.NetMAC, "another address was set, and the device cannot be told")
	}
	return nil
}

// acceptFeatures writes the features to the device and reads back whether it
// accepts them (3.1.1, steps 4 to 6). d.mu is held.
func (d *device) acceptFeatures(features virtio.Features) error {
	if err := d.t.SetDriverFeatures(features); err != nil {
		return err
	}
	if err := d.setStatusBits(virtio.StatusFeaturesOK); err != nil {
		return err
	}
	status, err := d.t.Status()
	if err != nil {
		return err
	}
	if !status.Has(virtio.StatusFeaturesOK) {
		d.status &^= virtio.StatusFeaturesOK // what is written next must not set it again
		return &Error{Device: d.name, Op: "FEATURES_OK", Field: "features", Value: features,
			Reason: fmt.Sprintf("the device refuses this choice of what it offers (status %v)", status),
			Remedy: "refuse some of them in Config.Refuse, on a command line with " +
				"packed=0, in_order=0, event_idx=0, indirect=0 or mrg_rxbuf=0",
			kind: errors.ErrUnsupported}
	}
	return nil
}
