package driver

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/flowtest"
)

var innerFeatures = rssFeatures.With(virtio.NetHashTunnel)

// inVXLAN returns the headers that go before a frame in a tunnel: Ethernet, IPv4, UDP and
// VXLAN.
func (r *rig) inVXLAN() []byte {
	h := append([]byte(r.port.MAC()), 2, 0, 0, 0, 0, 0x0f, 8, 0, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2)
	return append(binary.BigEndian.AppendUint32(h, 0xc000<<16|4789), 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 5, 0)
}

// Flows in one tunnel are spread over the queues, each with the hash of its own addresses,
// as long as SetInnerHash says so, and again after a recovery.
func TestSetInnerHash(t *testing.T) {
	r := rssRig(t, innerFeatures, vdev.Config{}, Config{Recovery: eager})
	flows, tunnel := flowtest.Series(200), r.inVXLAN()
	c, _ := r.port.RSS()
	oneQueue := func() {
		t.Helper()
		seen := map[received]bool{}
		for _, list := range r.deliverInside(tunnel, flows, 1) {
			for _, p := range list {
				seen[received{queue: p.queue, hash: p.hash, report: p.report}] = true
			}
		}
		if len(seen) != 1 {
			t.Errorf("packets with the same outer header arrived as %v", seen)
		}
	}
	oneQueue()
	if l := r.port.RSSLimits(); l.Tunnels != virtio.TunnelAll || r.port.InnerHash() != 0 {
		t.Errorf("limits are %+v, set is %#x", l, r.port.InnerHash())
	}
	for i, types := range []virtio.TunnelTypes{virtio.TunnelVXLAN, virtio.TunnelAll} {
		if err := r.port.SetInnerHash(t.Context(), types); err != nil {
			t.Fatal(err)
		}
		spread(t, c, true, flows, r.deliverInside(tunnel, flows, 1))
		spread(t, c, true, flows, r.deliverFlows(flows, 1))
		r.dev.NeedReset()
		r.recovered(uint64(i + 1))
		if got := r.port.InnerHash(); got != types {
			t.Errorf("after a recovery types %#x are set", got)
		}
		spread(t, c, true, flows, r.deliverInside(tunnel, flows, 1))
	}
	for _, types := range []virtio.TunnelTypes{virtio.TunnelAll &^ virtio.TunnelVXLAN, 0} {
		if err := r.port.SetInnerHash(t.Context(), types); err != nil {
			t.Fatal(err)
		}
		oneQueue()
	}
}

// openStarted opens a port on a device that works by itself.
func openStarted(t *testing.T, fn *pcifn.Function, c Config) *Port {
	t.Helper()
	fn.Device().Start()
	t.Cleanup(fn.Device().Stop)
	port, err := openPort(fn, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := port.Close(); err != nil {
			t.Error(err)
		}
	})
	return port
}

// net/hash-tunnel/2, net/hash-tunnel/3: of what the device says that it has, only what the
// specification defines counts, and nothing else is sent.
func TestInnerHashRefused(t *testing.T) {
	fn := newFunction(t, functionWith(vdev.Config{}))
	fn.Device().SetConfig(virtio.NetConfigTunnelTypes, 0x90, 0xfe, 0xff, 0xff)
	port := openStarted(t, fn, Config{Require: hashFeatures.With(virtio.NetHashTunnel)})
	if l := port.RSSLimits(); l.Tunnels != virtio.TunnelVXLAN|virtio.TunnelIPIP {
		t.Errorf("limits are %+v", l)
	}
	before := fn.Device().QueueStats(2).Chains
	for _, types := range []virtio.TunnelTypes{virtio.TunnelGRE2784, virtio.TunnelAll, 1 << 9, 1 << 31} {
		var bad *Error
		err := port.SetInnerHash(t.Context(), types)
		if !errors.As(err, &bad) || bad.Op != "SetInnerHash" || bad.Reason == "" || bad.Remedy == "" {
			t.Errorf("%#x: %v", types, err)
		}
	}
	if n := fn.Device().QueueStats(2).Chains; n != before || port.InnerHash() != 0 {
		t.Errorf("%d commands were sent; set is %#x", n-before, port.InnerHash())
	}
}

// net/hash-tunnel/1: without the feature, or what it takes, nothing is sent.
func TestInnerHashWithoutFeature(t *testing.T) {
	for name, c := range map[string]struct {
		dev vdev.Config
		cfg Config
	}{
		"not offered":    {vdev.Config{Refuse: innerFeatures}, Config{Request: innerFeatures}},
		"not requested":  {vdev.Config{}, Config{Request: hashFeatures}},
		"without a hash": {vdev.Config{}, Config{Request: innerFeatures.Minus(hashFeatures), Queues: 1}},
		"types unknown":  {vdev.Config{TunnelTypes: 1 << 20}, Config{Request: innerFeatures}},
	} {
		t.Run(name, func(t *testing.T) {
			port := openStarted(t, newFunction(t, functionWith(c.dev)), c.cfg)
			var bad *Error
			err := port.SetInnerHash(t.Context(), virtio.TunnelVXLAN)
			if !errors.Is(err, errors.ErrUnsupported) || !errors.As(err, &bad) || bad.Op != "SetInnerHash" || bad.Remedy == "" {
				t.Errorf("error is %v", err)
			}
			if port.Features().Has(virtio.NetHashTunnel) || port.RSSLimits().Tunnels != 0 {
				t.Errorf("features %v, limits %+v", port.Features(), port.RSSLimits())
			}
		})
	}
}
