package driver

import (
	"errors"
	"runtime"
	"slices"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Acceptance says when the driver accepts a feature that a device offers.
type Acceptance int

const (
	// Refused features are not accepted: the driver has no use for them.
	Refused Acceptance = iota
	// OnRequest features are accepted if Config.Request or Config.Require has them.
	OnRequest
	// ByDefault features are accepted unless Config.Refuse has them.
	ByDefault
)

// String returns "refused", "on request" or "by default".
func (a Acceptance) String() string {
	return [...]string{"refused", "on request", "by default"}[a]
}

// FeatureStatus is a feature bit and what the driver does with it.
type FeatureStatus struct {
	Feature    virtio.Feature
	Acceptance Acceptance
	Reason     string // what it is for, or why it is refused
}

// featureTable has every feature bit of a network device (5.1.3, 6), in order. The table in
// the README is made from it: go test ./test/lint -update
var featureTable = []FeatureStatus{
	{virtio.NetCSUM, OnRequest, "the device completes the checksums of packets that are sent"},
	{virtio.NetGuestCSUM, OnRequest, "received packets say whether their checksum is good, or still to be completed"},
	{virtio.NetCtrlOffloads, ByDefault, "receive offloads are switched at run time, if any was accepted"},
	{virtio.NetMTU, ByDefault, "the largest packet is the device's"},
	{virtio.NetMAC, ByDefault, "the address is the device's"},
	{virtio.LegacyGSO, Refused, "of the legacy interface; HOST_TSO4 and the like took its place"},
	{virtio.NetGuestTSO4, OnRequest, "TCP segments over IPv4 are received merged"},
	{virtio.NetGuestTSO6, OnRequest, "TCP segments over IPv6 are received merged"},
	{virtio.NetGuestECN, OnRequest, "also those with congestion marks"},
	{virtio.NetGuestUFO, Refused, "for fragments of UDP; GUEST_USO4 and GUEST_USO6 took its place"},
	{virtio.NetHostTSO4, OnRequest, "the device cuts TCP over IPv4 into segments"},
	{virtio.NetHostTSO6, OnRequest, "the device cuts TCP over IPv6 into segments"},
	{virtio.NetHostECN, OnRequest, "also those with congestion marks"},
	{virtio.NetHostUFO, Refused, "for fragments of UDP; HOST_USO took its place"},
	{virtio.NetMrgRxbuf, ByDefault, "a long packet takes several buffers"},
	{virtio.NetStatus, ByDefault, "the link is reported"},
	{virtio.NetCtrlVQ, ByDefault, "commands to the device"},
	{virtio.NetCtrlRx, ByDefault, "promiscuous and all-multicast mode, and the address filter"},
	{virtio.NetCtrlVLAN, OnRequest, "the VLAN filter, which starts empty and drops every tagged packet"},
	{virtio.NetCtrlRxExtra, ByDefault, "more receive modes, as no broadcast"},
	{virtio.NetAnnounce, ByDefault, "the application is told when the device asks for an announcement"},
	{virtio.NetMQ, ByDefault, "several queue pairs, if more than one is asked for"},
	{virtio.NetCtrlMACAddr, ByDefault, "the device filters by the address that was set"},
	{virtio.LegacyNotifyOnEmpty, Refused, "of the legacy interface"},
	{virtio.LegacyAnyLayout, Refused, "of the legacy interface; VERSION_1 includes it"},
	{virtio.RingIndirectDesc, ByDefault, "a packet of several buffers takes one descriptor"},
	{virtio.RingEventIdx, ByDefault, "fewer notifications"},
	{virtio.Version1, ByDefault, "required: there is no legacy interface"},
	{virtio.AccessPlatform, ByDefault, "addresses go through an IOMMU"},
	{virtio.RingPacked, ByDefault, "a faster format of the ring"},
	{virtio.InOrder, ByDefault, "cheaper completion"},
	{virtio.OrderPlatform, ByDefault, "memory accesses ordered for hardware"},
	{virtio.SRIOV, Refused, "the driver has no virtual functions to make"},
	{virtio.NotificationData, ByDefault, "a notification says how far the driver is"},
	{virtio.NotifConfigData, ByDefault, "a notification has the device's own number of the queue"},
	{virtio.RingReset, ByDefault, "a queue is stopped or resized while the others are in use"},
	{virtio.AdminVQ, Refused, "the driver does not administer other functions"},
	{virtio.Suspend, Refused, "a device is reset and not suspended"},
	{virtio.NetDeviceStats, ByDefault, "what the device counted itself"},
	{virtio.NetHashTunnel, OnRequest, "the hash of packets in tunnels is that of the packet inside"},
	{virtio.NetVQNotfCoal, ByDefault, "interrupts are delayed, queue by queue"},
	{virtio.NetNotfCoal, ByDefault, "interrupts are delayed"},
	{virtio.NetGuestUSO4, OnRequest, "UDP datagrams over IPv4 are received merged"},
	{virtio.NetGuestUSO6, OnRequest, "UDP datagrams over IPv6 are received merged"},
	{virtio.NetHostUSO, OnRequest, "the device cuts UDP into datagrams"},
	{virtio.NetHashReport, OnRequest, "the device reports a hash with each received packet"},
	{virtio.NetGuestHdrLen, OnRequest, "the device is told the exact length of headers"},
	{virtio.NetRSS, OnRequest, "the application says which flows go to which queue"},
	{virtio.NetRSCExt, OnRequest, "how many segments were merged is reported with a packet"},
	{virtio.NetStandby, Refused, "the driver has no second device to fail over to"},
	{virtio.NetSpeedDuplex, ByDefault, "the link's speed is reported"},
	{virtio.NetRSSContext, Refused, "the default table of RSS serves all packets: no rule chooses another one"},
	{virtio.NetGuestTunnel, Refused, "packets in UDP tunnels are received as they were sent, not merged"},
	{virtio.NetGuestTunnelC, Refused, "of GUEST_UDP_TUNNEL_GSO"},
	{virtio.NetHostTunnel, Refused, "cut a message with HOST_TSO4, HOST_TSO6 or HOST_USO before it enters a tunnel"},
	{virtio.NetHostTunnelC, Refused, "of HOST_UDP_TUNNEL_GSO"},
	{virtio.NetOutNetHeader, Refused, "devices find the header themselves"},
	{virtio.NetIPsec, Refused, "the driver does not manage security associations"},
}

// Features returns what the driver does with each feature bit that a network device can
// offer, in the order of the bits. A bit that is not among them is ignored (2.2.1).
func Features() []FeatureStatus {
	return featuresOn(runtime.GOARCH)
}

// featuresOn is Features on a kind of processor. With ORDER_PLATFORM a driver has to order
// its memory accesses for hardware devices (6.1). On amd64 that takes nothing more than
// for other processors. On arm64 it would take outer-shareable barriers, and those of Go's
// atomic operations are inner-shareable.
func featuresOn(arch string) []FeatureStatus {
	list := slices.Clone(featureTable)
	for i := range list {
		if list[i].Feature == virtio.OrderPlatform && arch != "amd64" {
			list[i].Acceptance = Refused
			list[i].Reason = "the barriers of Go's atomic operations do not reach hardware devices"
		}
	}
	return list
}

// featuresBy returns the features that are accepted in this way or more readily.
func featuresBy(least Acceptance) virtio.Features {
	var f virtio.Features
	for _, s := range Features() {
		if s.Acceptance >= least {
			f = f.With(s.Feature)
		}
	}
	return f
}

// acceptable returns the features that a port of this configuration may accept.
func (c *Config) acceptable() virtio.Features {
	asked := c.Request.Or(c.Require).And(featuresBy(OnRequest))
	return featuresBy(ByDefault).Or(asked).Minus(c.Refuse)
}

// checkRequired returns an error if features that the configuration requires were not
// negotiated, and says why.
func (d *device) checkRequired(n *negotiated) error {
	missing := d.cfg.Require.Minus(n.features)
	if missing.Empty() {
		return nil
	}
	e := &Error{Device: d.name, Op: "negotiation", Field: "required features", Value: missing,
		kind: errors.ErrUnsupported}
	switch {
	case !missing.And(d.cfg.Refuse).Empty():
		e.Reason, e.Remedy = "the configuration refuses them as well", "take them out of Config.Refuse"
	case !missing.Minus(featuresBy(OnRequest)).Empty():
		e.Reason, e.Remedy = "the driver does not implement them", "take them out of Config.Require"
	case !missing.Minus(n.offered).Empty():
		e.Reason = "the device does not offer them"
		e.Remedy = "have the host offer them, or request them in place of requiring them"
	case n.dropped[missing.List()[0]] != "":
		e.Reason = n.dropped[missing.List()[0]]
		e.Remedy = "change that, or request them in place of requiring them"
	default:
		e.Reason = "the device offers them without what they depend on, or they have no use here"
		e.Remedy = "request them in place of requiring them"
	}
	return e
}
