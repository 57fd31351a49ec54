package driver

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/transport/vpci"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// What a device refuses after a reset does not keep the rest of its group from it.
func TestSettingsThatAreRefusedInPart(t *testing.T) {
	r := newControlRig(t, vdev.Config{Pairs: 1}, Config{Recovery: eager})
	ctx, p := soon(t), r.port
	if err := errors.Join(p.AddVLAN(ctx, 5), p.AddVLAN(ctx, 6), p.SetPromiscuous(ctx, false), p.SetAllMulticast(ctx, true),
		p.SetRxCoalescing(ctx, Coalescing{Packets: 1, Delay: time.Second}),
		p.SetTxQueueCoalescing(ctx, 0, Coalescing{Packets: 2, Delay: time.Second})); err != nil {
		t.Fatal(err)
	}
	all := []string{"2/0: 0500 0", "2/0: 0600 0", "0/0: 00 0", "0/1: 01 0", "6/1: 0100000040420f00 0", "6/2: 010000000200000040420f00 0"}
	for refused := range all {
		r.take()
		r.dev.SetFaults(vdev.Faults{Ctrl: vdev.CtrlRefuse, CtrlAfter: refused, CtrlTimes: 1})
		r.dev.NeedReset()
		r.recovered(uint64(refused) + 1)
		want := slices.Delete(slices.Clone(all), refused, refused+1)
		if got := r.take(); !slices.Equal(got, want) {
			t.Errorf("command %d is refused: sent %q, want %q", refused, got, want)
		}
	}
}

// The receive offloads are those that the device has: all of them, if it does not switch the
// others off again after a reset.
func TestReceiveOffloadsThatAreRefused(t *testing.T) {
	r := newControlRig(t, vdev.Config{Pairs: 1}, Config{Recovery: eager})
	all, some := r.port.ReceiveOffloads(), virtio.FeatureSet(virtio.NetGuestCSUM)
	if err := r.port.SetReceiveOffloads(soon(t), some); err != nil {
		t.Fatal(err)
	}
	r.dev.SetFaults(vdev.Faults{Ctrl: vdev.CtrlRefuse})
	for n, want := range []virtio.Features{all, some} {
		r.dev.NeedReset()
		r.recovered(uint64(n) + 1)
		if got := r.port.ReceiveOffloads(); got != want {
			t.Errorf("%v are on, want %v", got, want)
		}
		r.dev.SetFaults(vdev.Faults{})
	}
}

// shrinking is a transport whose device offers less, or more again, after a reset.
type shrinking struct {
	*vpci.Device
	hidden atomic.Pointer[virtio.Features]
}

func (s *shrinking) DeviceFeatures() (virtio.Features, error) {
	f, err := s.Device.DeviceFeatures()
	if hidden := s.hidden.Load(); hidden != nil {
		f = f.Minus(*hidden)
	}
	return f, err
}

func (s *shrinking) hide(fs ...virtio.Feature) {
	f := virtio.FeatureSet(fs...)
	s.hidden.Store(&f)
}

// newShrinking opens a port on such a transport, which hides features at first.
func newShrinking(t *testing.T, c Config, hidden ...virtio.Feature) (*rig, *shrinking, *commands) {
	t.Helper()
	sent := &commands{}
	r := &rig{t: t, wire: newWire()}
	r.fn = newFunction(t, functionWith(vdev.Config{Backend: r.wire, Offer: vdev.Implemented().Without(virtio.NetMQ), Command: sent.add}))
	r.dev = r.fn.Device()
	dev, err := vpci.Open(r.fn, vpci.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &shrinking{Device: dev}
	s.hide(hidden...)
	c.Memory = smallPages
	r.dev.Start()
	if r.port, err = Open(s, c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.dev.Stop)
	t.Cleanup(func() {
		if err := r.port.Close(); err != nil {
			t.Error(err)
		}
	})
	return r, s, sent
}

// An offload whose dependency is no longer offered is not asked for without it.
func TestReceiveOffloadsOfADeviceThatOffersFewer(t *testing.T) {
	offloads := virtio.FeatureSet(virtio.NetGuestCSUM, virtio.NetGuestTSO4, virtio.NetGuestTSO6, virtio.NetGuestECN)
	r, dev, sent := newShrinking(t, Config{Request: offloads, Recovery: eager})
	if err := r.port.SetReceiveOffloads(soon(t), offloads.Without(virtio.NetGuestTSO6)); err != nil {
		t.Fatal(err)
	}
	sent.take()
	dev.hide(virtio.NetGuestTSO4)
	r.dev.NeedReset()
	r.recovered(1)
	if got := sent.take(); !slices.Equal(got, []string{"5/0: 0200000000000000 0"}) {
		t.Errorf("sent %q", got)
	}
	if got := r.port.ReceiveOffloads(); got != virtio.FeatureSet(virtio.NetGuestCSUM) {
		t.Errorf("%v are on", got)
	}
}

// A feature that a device offers only after a reset is not accepted, and neither the path nor
// the page of Info says that the device does not offer it.
func TestPathOfADeviceThatOffersMore(t *testing.T) {
	r, dev, _ := newShrinking(t, Config{Recovery: eager}, virtio.RingPacked)
	const before, after = "the device does not offer RING_PACKED", "RING_PACKED was not offered when the port was opened; open it again"
	check := func(want string) {
		t.Helper()
		if got := r.port.Path().Rejected; len(got) != 1 || got[0].Reason != want {
			t.Errorf("%v, want %q", got, want)
		}
	}
	check(before)
	dev.hide()
	r.dev.NeedReset()
	r.recovered(1)
	check(after)
	for _, f := range r.port.Info().Features {
		if f.Feature == virtio.RingPacked && (!f.Offered || f.Reason != "it was not offered when the port was opened") {
			t.Errorf("%+v", f)
		}
	}
}

// A device that does not take a table again which it has taken before spreads packets over
// the queues as at first; one that refuses even that cannot be recovered.
func TestRSSThatIsRefused(t *testing.T) {
	c := Config{Recovery: eager}
	c.Recovery.MaxResets = 2
	r := rssRig(t, rssFeatures, vdev.Config{}, c)
	if err := r.port.SetRSS(soon(t), RSS{Table: []uint16{3, 1}}); err != nil {
		t.Fatal(err)
	}
	r.dev.SetFaults(vdev.Faults{Ctrl: vdev.CtrlRefuse, CtrlTimes: 1})
	r.dev.NeedReset()
	r.recovered(1)
	if now, on := r.port.RSS(); !on || len(now.Table) != 128 || r.port.ActivePairs() != 4 {
		t.Errorf("%+v", now)
	}
	r.dev.SetFaults(vdev.Faults{Ctrl: vdev.CtrlRefuse})
	r.dev.NeedReset()
	if err := finished(t, r.port); !errors.Is(err, ErrRefused) {
		t.Errorf("the port ended with %v", err)
	}
}
