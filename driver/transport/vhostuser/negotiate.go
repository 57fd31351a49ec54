package vhostuser

import (
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Bits of the feature word that belong to the protocol and not to the device.
const (
	bitLogAll           = 26 // dirty pages are logged, for migration
	bitProtocolFeatures = 30
)

// Bits of the protocol features.
const (
	protocolMQ       = 0
	protocolRARP     = 2
	protocolReplyAck = 3
	protocolConfig   = 9
	protocolReset    = 13
	protocolMemSlots = 15
	protocolStatus   = 16
)

// INFLIGHT_SHMFD is left out. It has the front end keep a record of what a back end took
// and did not use, for the one that takes its place. This front end resets the device for
// each back end: the rings begin anew, every buffer is back in its pool, and a record could
// say only that nothing is in flight, at a price for each packet.
//
// protocolImplemented are the protocol features that are implemented here. All
// others are refused; one of them (XEN_MMAP, bit 17) even changes the layout of the
// messages about memory.
const protocolImplemented = 1<<protocolMQ | 1<<protocolReplyAck | 1<<protocolConfig |
	1<<protocolReset | 1<<protocolMemSlots | 1<<protocolStatus | 1<<protocolRARP

// negotiated is what begin has found out about the back end.
type negotiated struct {
	offered  uint64 // GET_FEATURES, with the protocol's own bits
	protocol uint64 // protocol features in force
	pairs    int    // queue pairs that the back end has, at least 1
	slots    int    // regions of memory that it takes
	config   int    // bytes of device configuration that it reports, 0 for none
}

func (t *negotiated) has(protocol int) bool { return t.protocol>>protocol&1 != 0 }

// acknowledges reports whether every request can be answered.
func (t *negotiated) acknowledges() bool { return t.has(protocolReplyAck) }

// enables reports whether rings begin disabled and are enabled by message.
func (t *negotiated) enables() bool { return t.offered>>bitProtocolFeatures&1 != 0 }

// begin sets the owner and negotiates the protocol features. Nothing of it depends
// on the driver, so that it is done as soon as there is a connection.
func (s *session) begin() error {
	if err := s.send(emptyMessage(setOwner), false); err != nil {
		return err
	}
	var err error
	if s.offered, err = s.query(getFeatures); err != nil {
		return err
	}
	s.pairs, s.slots = 1, maxRegions
	if !s.enables() {
		return nil
	}
	protocol, err := s.query(getProtocolFeatures)
	if err != nil {
		return err
	}
	protocol &= protocolImplemented
	if err := s.send(u64Message(setProtocolFeatures, protocol), false); err != nil {
		return err
	}
	s.protocol = protocol
	if err := s.queryPairs(); err != nil {
		return err
	}
	if err := s.querySlots(); err != nil {
		return err
	}
	return s.probeConfig()
}

// queryPairs finds out how many queue pairs there are. A back end that reports 0 has
// one.
func (s *session) queryPairs() error {
	if !s.has(protocolMQ) {
		return nil
	}
	n, err := s.query(getQueueNum)
	s.pairs = int(max(1, min(n, maxRings/2)))
	return err
}

// querySlots finds out how many regions of memory the back end takes.
func (s *session) querySlots() error {
	if !s.has(protocolMemSlots) {
		return nil
	}
	n, err := s.query(getMaxMemSlots)
	s.slots = int(min(n, 1<<16))
	return err
}

// unimplemented are features that a back end may offer and that this transport does
// not implement: addresses translated by an IOMMU (which takes a channel for
// the back end's own requests), doorbells with a value (they are eventfds), and
// RING_RESET, which takes no feature here: see ResetQueue.
var unimplemented = virtio.FeatureSet(
	virtio.AccessPlatform, virtio.NotificationData, virtio.NotifConfigData, virtio.RingReset,
	virtio.AdminVQ, virtio.SRIOV, virtio.Suspend)

// controlled are features that are used through the control queue. Back ends do
// not have one.
var controlled = virtio.FeatureSet(
	virtio.NetCtrlVQ, virtio.NetCtrlRx, virtio.NetCtrlVLAN, virtio.NetCtrlRxExtra,
	virtio.NetAnnounce, virtio.NetMQ, virtio.NetCtrlMACAddr, virtio.NetCtrlOffloads,
	virtio.NetDeviceStats, virtio.NetVQNotfCoal, virtio.NetNotfCoal, virtio.NetHashReport,
	virtio.NetRSS, virtio.NetHashTunnel)

// configured are features that say which fields of device configuration there
// are.
var configured = virtio.FeatureSet(
	virtio.NetMAC, virtio.NetMTU, virtio.NetStatus, virtio.NetSpeedDuplex)

// backEnd are the device features that the back end itself offers.
func (t *negotiated) backEnd() virtio.Features {
	return virtio.Features{t.offered &^ (1<<bitProtocolFeatures | 1<<bitLogAll)}
}
