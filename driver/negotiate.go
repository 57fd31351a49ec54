package driver

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"runtime/debug"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/virtq"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

const (
	maxMTU = 65535
	// l2Header is the length of what Ethernet puts in front of the MTU's bytes: two
	// addresses and a type. A VLAN tag, if there is one, is between them.
	l2Header = 14
	vlanTag  = 4

	macBytes = 6
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

// start brings the device from any state to one in which packets flow, and
// returns the state of the link. The gates are still closed then.
func (d *device) start(ctx context.Context) (Link, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer d.interruptible(ctx)()
	if err := d.reset(ctx); err != nil {
		return Link{}, err
	}
	return d.bringUp(ctx)
}

// restart is start for a device that has been started before: it takes back what
// the queues held. All gates are closed.
func (d *device) restart(ctx context.Context) (Link, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer d.interruptible(ctx)()
	if err := d.reset(ctx); err != nil {
		return Link{}, err
	}
	d.drain()
	d.unmapDetached()
	if err := d.releaseLarger(); err != nil {
		return Link{}, err
	}
	d.ctrl = nil
	if err := d.populate(); err != nil {
		return Link{}, err
	}
	return d.bringUp(ctx)
}

// reset resets the device and waits until it has confirmed that, for as long as
// the configuration allows. d.mu is held.
func (d *device) reset(ctx context.Context) error {
	d.status = 0
	ctx, cancel := context.WithTimeout(ctx, d.cfg.ResetTimeout)
	defer cancel()
	return d.t.Reset(ctx)
}

// bringUp sets up a device that has just been reset. When it fails the device has
// FAILED set. d.mu is held.
func (d *device) bringUp(ctx context.Context) (Link, error) {
	link, err := d.initialize(ctx)
	if err != nil && d.status != 0 {
		// The device is told; whether it takes note makes no difference any more.
		_ = d.t.SetStatus(d.status | virtio.StatusFailed)
	}
	return link, err
}

// initialize takes the steps of 3.1.1 and 5.1.5 in their order, up to the first
// error. It writes to memory that a back end may remove at any time. d.mu is held.
func (d *device) initialize(ctx context.Context) (_ Link, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer d.catchFault(&err)
	if err := d.setStatusBits(virtio.StatusAcknowledge); err != nil {
		return Link{}, err
	}
	if err := d.setStatusBits(virtio.StatusDriver); err != nil {
		return Link{}, err
	}
	n, err := d.negotiate()
	if err != nil {
		return Link{}, err
	}
	if err := d.setUpQueues(n); err != nil {
		return Link{}, err
	}
	if err := d.setStatusBits(virtio.StatusDriverOK); err != nil {
		return Link{}, err
	}
	first := d.current.Load() == nil
	d.current.Store(n)
	d.startQueues()
	if err := d.steerAgain(ctx, n); err != nil {
		return Link{}, err
	}
	if err := d.restoreSettings(ctx, n, first); err != nil {
		return Link{}, err
	}
	if err := d.stopAgain(ctx); err != nil {
		return Link{}, err
	}
	return readLink(d.t, n.features)
}

// setStatusBits adds bits to the device status. They are never taken away
// (2.1.1). d.mu is held.
func (d *device) setStatusBits(bits virtio.Status) error {
	if err := d.t.SetStatus(d.status | bits); err != nil {
		return err
	}
	d.status |= bits
	return nil
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

// selectMTU selects the MTU, and drops the feature MTU if the device's is below
// what an IPv4 link must carry. d.mu is held.
func (d *device) selectMTU(n *negotiated) error {
	n.mtu = DefaultMTU
	if n.features.Has(virtio.NetMTU) {
		mtu, err := readConfig16(d.t, virtio.NetConfigMTU)
		if err != nil {
			return err
		}
		if mtu < virtio.MinMTU {
			d.log.Warn("the device's MTU is below 68 and ignored", "mtu", mtu)
			n.drop(virtio.NetMTU, "the device's MTU is below 68")
		} else {
			n.deviceMTU, n.mtu = mtu, mtu
		}
	}
	if d.cfg.MTU != 0 {
		n.mtu = d.cfg.MTU
	}
	if n.deviceMTU != 0 && n.mtu > n.deviceMTU {
		d.log.Warn("the MTU is lowered to the device's", "asked", n.mtu, "mtu", n.deviceMTU)
		n.mtu = n.deviceMTU
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

// maxFrame is the longest frame that may be sent, 0 if nothing limits it.
func (n *negotiated) maxFrame(asked int) int {
	if n.deviceMTU == 0 && asked == 0 {
		return 0
	}
	return n.mtu + l2Header
}

// selectMAC returns the port's address. If MAC was accepted, it is the device's
// (5.1.4.2). An address that no interface can have is replaced: a device must not be
// able to make its host answer for a multicast address.
// last is the address before the device was reset, nil if there was none. d.mu is
// held.
func (d *device) selectMAC(f virtio.Features, last net.HardwareAddr) (net.HardwareAddr, error) {
	if mac := d.settings.mac.address; mac != nil {
		return mac, nil
	}
	if f.Has(virtio.NetMAC) {
		mac := make(net.HardwareAddr, macBytes)
		if err := d.t.ReadConfig(virtio.NetConfigMAC, 1, mac); err != nil {
			return nil, err
		}
		if usable(mac) {
			return mac, nil
		}
		d.log.Warn("the device's MAC address is not that of one interface; it is not used", "mac", mac)
	}
	if last != nil {
		return last, nil
	}
	return randomMAC(), nil
}

// usable reports whether mac can be the address of one interface.
func usable(mac net.HardwareAddr) bool {
	return len(mac) == macBytes && mac[0]&1 == 0 && string(mac) != "\x00\x00\x00\x00\x00\x00"
}

// randomMAC returns a locally administered address.
func randomMAC() net.HardwareAddr {
	mac := make(net.HardwareAddr, macBytes)
	_, _ = rand.Read(mac) // never fails
	mac[0] = mac[0]&^1 | 2
	return mac
}

// readConfig16 reads one le16 field.
func readConfig16(t transport.Transport, off int) (int, error) {
	var b [2]byte
	if err := t.ReadConfig(off, 2, b[:]); err != nil {
		return 0, err
	}
	return int(binary.LittleEndian.Uint16(b[:])), nil
}
