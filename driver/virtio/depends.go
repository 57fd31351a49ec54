package virtio

// requirement says that a feature must not be accepted unless every bit of all and,
// when any is not empty, at least one bit of any is accepted too (5.1.3.1).
type requirement struct {
	feature Feature
	all     Features
	any     Features
}

var requirements = []requirement{
	{feature: NetGuestTSO4, all: FeatureSet(NetGuestCSUM)},
	{feature: NetGuestTSO6, all: FeatureSet(NetGuestCSUM)},
	{feature: NetGuestECN, any: FeatureSet(NetGuestTSO4, NetGuestTSO6)},
	{feature: NetGuestUFO, all: FeatureSet(NetGuestCSUM)},
	{feature: NetGuestUSO4, all: FeatureSet(NetGuestCSUM)},
	{feature: NetGuestUSO6, all: FeatureSet(NetGuestCSUM)},
	{feature: NetHostTSO4, all: FeatureSet(NetCSUM)},
	{feature: NetHostTSO6, all: FeatureSet(NetCSUM)},
	{feature: NetHostECN, any: FeatureSet(NetHostTSO4, NetHostTSO6)},
	{feature: NetHostUFO, all: FeatureSet(NetCSUM)},
	{feature: NetHostUSO, all: FeatureSet(NetCSUM)},
	{feature: NetCtrlOffloads, all: FeatureSet(NetCtrlVQ)},
	{feature: NetCtrlRx, all: FeatureSet(NetCtrlVQ)},
	{feature: NetCtrlVLAN, all: FeatureSet(NetCtrlVQ)},
	{feature: NetCtrlRxExtra, all: FeatureSet(NetCtrlVQ)},
	{feature: NetAnnounce, all: FeatureSet(NetCtrlVQ)},
	{feature: NetMQ, all: FeatureSet(NetCtrlVQ)},
	{feature: NetCtrlMACAddr, all: FeatureSet(NetCtrlVQ)},
	{feature: NetDeviceStats, all: FeatureSet(NetCtrlVQ)},
	{feature: NetVQNotfCoal, all: FeatureSet(NetCtrlVQ)},
	{feature: NetNotfCoal, all: FeatureSet(NetCtrlVQ)},
	{feature: NetHashReport, all: FeatureSet(NetCtrlVQ)},
	{feature: NetRSS, all: FeatureSet(NetCtrlVQ)},
	{feature: NetHashTunnel, all: FeatureSet(NetCtrlVQ), any: FeatureSet(NetRSS, NetHashReport)},
	// The list ties RSC_EXT to HOST_TSO, the text of 5.1.9.4 to GUEST_TSO: both are required.
	{feature: NetRSCExt, any: FeatureSet(NetHostTSO4, NetHostTSO6)},
	{feature: NetRSCExt, any: FeatureSet(NetGuestTSO4, NetGuestTSO6)},
	{feature: NetRSSContext, all: FeatureSet(NetCtrlVQ, NetRSS)},
	{feature: NetGuestTunnel, all: FeatureSet(NetGuestTSO4, NetGuestTSO6, NetGuestUSO4, NetGuestUSO6)},
	{feature: NetGuestTunnelC, all: FeatureSet(NetGuestTunnel)},
	{feature: NetHostTunnel, all: FeatureSet(NetHostTSO4, NetHostTSO6, NetHostUSO)},
	{feature: NetHostTunnelC, all: FeatureSet(NetHostTunnel)},
}

// Closure returns the largest subset of s in which every feature has the features
// it requires (2.2.1). The order of removals does not matter.
func (s Features) Closure() Features {
	for {
		before := s
		for _, r := range requirements {
			if s.Has(r.feature) && !r.met(s) {
				s = s.Without(r.feature)
			}
		}
		if s == before {
			return s
		}
	}
}

func (r requirement) met(s Features) bool {
	return r.all.Minus(s).Empty() && (r.any.Empty() || !r.any.And(s).Empty())
}

// Missing returns what keeps f from being accepted with s: the features that it requires and
// s does not have. Of those of which one is enough, it returns all if s has none.
func (s Features) Missing(f Feature) Features {
	var missing Features
	for _, r := range requirements {
		if r.feature != f {
			continue
		}
		missing = missing.Or(r.all.Minus(s))
		if r.any.And(s).Empty() {
			missing = missing.Or(r.any)
		}
	}
	return missing
}
