package vdev_test

import (
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// The fields of RSS and HASH_REPORT are in the configuration, and each may be read only if
// a feature that it belongs to is offered.
func TestHashConfiguration(t *testing.T) {
	fields := []struct {
		off, width int
		want       uint32
		features   virtio.Features
	}{
		{virtio.NetConfigRSSMaxKeySize, 1, 52, virtio.FeatureSet(virtio.NetRSS, virtio.NetHashReport)},
		{virtio.NetConfigRSSMaxTable, 2, 512, virtio.FeatureSet(virtio.NetRSS)},
		{virtio.NetConfigHashTypes, 4, 0x3f, virtio.FeatureSet(virtio.NetRSS, virtio.NetHashReport)},
		{virtio.NetConfigTunnelTypes, 4, 0x90, virtio.FeatureSet(virtio.NetHashTunnel)},
		{virtio.NetConfigMaxPairs, 2, 4, virtio.FeatureSet(virtio.NetRSS, virtio.NetMQ)},
	}
	for _, offer := range []virtio.Features{{}, virtio.FeatureSet(virtio.NetRSS), virtio.FeatureSet(virtio.NetHashReport), virtio.FeatureSet(virtio.NetMQ), virtio.FeatureSet(virtio.NetHashTunnel)} {
		g := newGuest(t, vdev.Config{Pairs: 4, RSSKeySize: 52, RSSTable: 512, HashTypes: 0x3f, TunnelTypes: 0x90, Offer: offer.With(virtio.Version1)}, 4096)
		if n := g.d.ConfigSize(); n != 28 {
			t.Errorf("%d bytes of configuration", n)
		}
		for _, f := range fields {
			if v := g.d.ReadConfig(f.off, f.width); v != f.want {
				t.Errorf("the field at %d is %#x, want %#x", f.off, v, f.want)
			}
			if !f.features.And(offer).Empty() {
				g.clean()
			} else {
				g.wantRules("basic/config/3")
			}
			g.d.ClearViolations()
		}
	}
	g := newGuest(t, vdev.Config{}, 4096)
	if key, table := g.d.ReadConfig(virtio.NetConfigRSSMaxKeySize, 1), g.d.ReadConfig(virtio.NetConfigRSSMaxTable, 2); key != 40 || table != 128 {
		t.Errorf("by default the key has %d bytes and the table %d entries", key, table)
	}
	g.clean()
}

// What does not fit the fields is no configuration.
func TestHashConfigurationErrors(t *testing.T) {
	for field, cfg := range map[string]vdev.Config{
		"RSSKeySize": {RSSKeySize: 256}, "RSSTable": {RSSTable: 65536}, "MACTable": {MACTable: -1},
	} {
		if _, err := vdev.New(cfg, nil); err == nil {
			t.Errorf("%s out of range is accepted", field)
		}
	}
}
