package virtio

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// dependencies is the specification's list of what each feature needs (5.1.3.1),
// written a second time by hand: every set of a row is enough on its own, and
// nothing smaller is.
var dependencies = []struct {
	feature Feature
	enough  []Features
}{
	{NetGuestTSO4, sets(NetGuestCSUM)},
	{NetGuestTSO6, sets(NetGuestCSUM)},
	{NetGuestECN, []Features{FeatureSet(NetGuestTSO4, NetGuestCSUM),
		FeatureSet(NetGuestTSO6, NetGuestCSUM)}},
	{NetGuestUFO, sets(NetGuestCSUM)},
	{NetGuestUSO4, sets(NetGuestCSUM)},
	{NetGuestUSO6, sets(NetGuestCSUM)},
	{NetHostTSO4, sets(NetCSUM)},
	{NetHostTSO6, sets(NetCSUM)},
	{NetHostECN, []Features{FeatureSet(NetHostTSO4, NetCSUM), FeatureSet(NetHostTSO6, NetCSUM)}},
	{NetHostUFO, sets(NetCSUM)},
	{NetHostUSO, sets(NetCSUM)},
	{NetCtrlOffloads, sets(NetCtrlVQ)},
	{NetCtrlRx, sets(NetCtrlVQ)},
	{NetCtrlVLAN, sets(NetCtrlVQ)},
	{NetCtrlRxExtra, sets(NetCtrlVQ)},
	{NetAnnounce, sets(NetCtrlVQ)},
	{NetMQ, sets(NetCtrlVQ)},
	{NetCtrlMACAddr, sets(NetCtrlVQ)},
	{NetVQNotfCoal, sets(NetCtrlVQ)},
	{NetNotfCoal, sets(NetCtrlVQ)},
	{NetHashReport, sets(NetCtrlVQ)},
	{NetRSS, sets(NetCtrlVQ)},
	{NetHashTunnel, []Features{FeatureSet(NetCtrlVQ, NetRSS),
		FeatureSet(NetCtrlVQ, NetHashReport)}},
	{NetRSCExt, []Features{FeatureSet(NetGuestTSO4, NetGuestCSUM, NetHostTSO4, NetCSUM),
		FeatureSet(NetGuestTSO4, NetGuestCSUM, NetHostTSO6, NetCSUM),
		FeatureSet(NetGuestTSO6, NetGuestCSUM, NetHostTSO4, NetCSUM),
		FeatureSet(NetGuestTSO6, NetGuestCSUM, NetHostTSO6, NetCSUM)}},
	{NetRSSContext, sets(NetCtrlVQ, NetRSS)},
	{NetGuestTunnel, sets(NetGuestTSO4, NetGuestTSO6, NetGuestUSO4, NetGuestUSO6, NetGuestCSUM)},
	{NetGuestTunnelC, sets(NetGuestTunnel, NetGuestTSO4, NetGuestTSO6, NetGuestUSO4, NetGuestUSO6,
		NetGuestCSUM)},
	{NetHostTunnel, sets(NetHostTSO4, NetHostTSO6, NetHostUSO, NetCSUM)},
	{NetHostTunnelC, sets(NetHostTunnel, NetHostTSO4, NetHostTSO6, NetHostUSO, NetCSUM)},
}

func sets(fs ...Feature) []Features { return []Features{FeatureSet(fs...)} }

// basic/features/2: no bit without its prerequisites.
func TestClosureDropsWhatLacksAPrerequisite(t *testing.T) {
	for _, d := range dependencies {
		if got := FeatureSet(d.feature, Version1).Closure(); got != FeatureSet(Version1) {
			t.Errorf("%v alone: closure is %v", d.feature, got)
		}
		for _, enough := range d.enough {
			all := enough.With(d.feature)
			if got := all.Closure(); got != all {
				t.Errorf("%v with %v: closure dropped %v", d.feature, enough, all.Minus(got))
			}
			for _, f := range enough.List() {
				if got := all.Without(f).Closure(); got.Has(d.feature) {
					t.Errorf("%v survives without %v in %v", d.feature, f, got)
				}
			}
		}
	}
}

func TestClosureOfRandomSets(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		s := Features{random.Uint64() | random.Uint64(), random.Uint64()}
		c := s.Closure()
		if !c.Minus(s).Empty() {
			t.Fatalf("closure of %v adds %v", s, c.Minus(s))
		}
		if again := c.Closure(); again != c {
			t.Fatalf("closure of %v is not closed: %v", s, c.Minus(again))
		}
		for _, d := range dependencies {
			met := slices.ContainsFunc(d.enough,
				func(e Features) bool { return e.Minus(c).Empty() })
			if c.Has(d.feature) && !met {
				t.Fatalf("closure %v keeps %v without any of %v", c, d.feature, d.enough)
			}
			if s.Has(d.feature) && !c.Has(d.feature) && met {
				t.Fatalf("closure %v dropped %v, which has what it needs", c, d.feature)
			}
		}
	}
}

func TestWindowsCoverAll128Bits(t *testing.T) {
	for f := Feature(0); f < 128; f++ {
		s := FeatureSet(f)
		if list := s.List(); len(list) != 1 || list[0] != f || !s.Has(f) {
			t.Errorf("set of bit %d lists %v", f, list)
		}
		var back Features
		for i := range 4 {
			w := s.Window(i)
			if want := uint32(1) << (f & 31); (i == int(f>>5)) != (w == want) ||
				i != int(f>>5) && w != 0 {
				t.Errorf("bit %d: window %d is %#x", f, i, w)
			}
			back = back.WithWindow(i, w)
		}
		if back != s {
			t.Errorf("bit %d: windows give back %v", f, back)
		}
	}
}

func TestWithWindowReplaces(t *testing.T) {
	all := Features{^uint64(0), ^uint64(0)}
	for i := range 4 {
		s := all.WithWindow(i, 0x12345678)
		for j := range 4 {
			want := uint32(0xffffffff)
			if j == i {
				want = 0x12345678
			}
			if s.Window(j) != want {
				t.Errorf("window %d after writing window %d: %#x", j, i, s.Window(j))
			}
		}
	}
}

func TestSetAlgebra(t *testing.T) {
	a, b := FeatureSet(NetMAC, RingPacked, NetIPsec), FeatureSet(RingPacked, NetRSSContext)
	if got := a.And(b); got != FeatureSet(RingPacked) {
		t.Errorf("And: %v", got)
	}
	if got := a.Or(b); got != FeatureSet(NetMAC, RingPacked, NetIPsec, NetRSSContext) {
		t.Errorf("Or: %v", got)
	}
	if got := a.Minus(b); got != FeatureSet(NetMAC, NetIPsec) {
		t.Errorf("Minus: %v", got)
	}
	if got := a.Without(NetMAC).Without(NetMAC); got != FeatureSet(RingPacked, NetIPsec) {
		t.Errorf("Without: %v", got)
	}
	if !(Features{}).Empty() || a.Empty() {
		t.Error("Empty")
	}
}

func TestNames(t *testing.T) {
	s := FeatureSet(Feature(49), Version1, NetMAC)
	if got := s.String(); got != "MAC VERSION_1 bit 49" {
		t.Errorf("String: %q", got)
	}
	seen := map[string]Feature{}
	for f := Feature(0); f < 128; f++ {
		if other, twice := seen[f.String()]; twice {
			t.Errorf("bits %d and %d are both called %v", other, f, f)
		}
		seen[f.String()] = f
	}
}

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		status Status
		want   string
	}{
		{0, "RESET"},
		{15, "ACKNOWLEDGE|DRIVER|FEATURES_OK|DRIVER_OK"},
		{StatusNeedsReset | StatusDriver, "DRIVER|DEVICE_NEEDS_RESET"},
		{StatusFailed | 32, "FAILED|reserved bits"},
	} {
		if got := c.status.String(); got != c.want {
			t.Errorf("%#x: %q, want %q", uint8(c.status), got, c.want)
		}
	}
	if Status(7).Has(StatusDriverOK|StatusFeaturesOK) ||
		!Status(15).Has(StatusDriverOK|StatusFeaturesOK) {
		t.Error("Has wants every bit")
	}
}

// x/net/ctrlq-index: behind all pairs the device has, not those in use.
func TestQueueIndexes(t *testing.T) {
	if RxQueueIndex(3) != 6 || TxQueueIndex(3) != 7 {
		t.Errorf("pair 3 is queues %d and %d", RxQueueIndex(3), TxQueueIndex(3))
	}
	for _, c := range []struct {
		features Features
		pairs    int
		want     int
	}{
		{FeatureSet(NetCtrlVQ), 8, 2},
		{FeatureSet(NetCtrlVQ, NetMQ), 8, 16},
		{FeatureSet(NetCtrlVQ, NetRSS), 4, 8},
		{FeatureSet(NetCtrlVQ, NetMQ), 1, 2},
	} {
		if got := CtrlQueueIndex(c.features, c.pairs); got != c.want {
			t.Errorf("%v with %d pairs: control queue is %d, want %d", c.features, c.pairs, got,
				c.want)
		}
	}
}

func TestDescriptorFlagsAreDistinct(t *testing.T) {
	names := strings.Fields("NEXT WRITE INDIRECT AVAIL USED")
	seen := 0
	for i, flag := range []int{DescNext, DescWrite, DescIndirect, DescAvail, DescUsed} {
		if seen&flag != 0 {
			t.Errorf("%s overlaps another flag", names[i])
		}
		seen |= flag
	}
	if seen != 0x8087 {
		t.Errorf("flags are %#x", seen)
	}
}
