package pcifn

import (
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/pci"
)

func open(t *testing.T, cfg Config) *Function {
	t.Helper()
	f, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// wantRules fails unless exactly these rules were broken.
func wantRules(t *testing.T, d *vdev.Device, rules ...string) {
	t.Helper()
	seen := make(map[string]bool)
	for _, v := range d.Violations() {
		seen[v.Rule] = true
	}
	for _, r := range rules {
		if !seen[r] {
			t.Errorf("rule %s was not recorded", r)
		}
		delete(seen, r)
	}
	if len(seen) > 0 {
		t.Errorf("also recorded: %v", d.Violations())
	}
}

func TestCapabilitiesAreFoundByTheWalk(t *testing.T) {
	for name, c := range map[string]struct {
		cfg    Config
		vendor int
		device uint32
	}{
		"modern":       {Config{}, 5, deviceModern},
		"transitional": {Config{Transitional: true}, 5, deviceLegacy},
		"legacy":       {Config{LegacyOnly: true}, 0, deviceLegacy},
		"ports":        {Config{PIONotify: true}, 6, deviceModern},
		"no MSI-X":     {Config{Vectors: NoMSIX}, 5, deviceModern},
	} {
		t.Run(name, func(t *testing.T) {
			f := open(t, c.cfg)
			caps, err := pci.Capabilities(f)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for c := range pci.Vendor(caps) {
				n++
				b, err := c.Read(f)
				if err != nil || int(b[2]) != c.Len || b[3] < capCommon || b[3] > capPCI {
					t.Errorf("capability %v: %v %v", c, b, err)
				}
			}
			_, messages := pci.First(caps, pci.CapabilityMSIX)
			if n != c.vendor || messages != (c.cfg.Vectors != NoMSIX) {
				t.Errorf("%d virtio capabilities, MSI-X %v", n, messages)
			}
			if id, _ := f.ReadConfig(pci.RegDeviceID, 2); id != c.device {
				t.Errorf("device ID %#x", id)
			}
			wantRules(t, f.Device())
		})
	}
}

func TestFeaturesAndStatus(t *testing.T) {
	f := open(t, Config{Log: true})
	r, err := f.Region(modernBAR)
	if err != nil {
		t.Fatal(err)
	}
	status := func(s virtio.Status) virtio.Status {
		_ = r.Write8(0x14, uint8(s))
		v, _ := r.Read8(0x14)
		return virtio.Status(v)
	}
	if s := status(0); s != 0 {
		t.Fatalf("status %v after reset", s)
	}
	s := status(virtio.StatusAcknowledge)
	s = status(s | virtio.StatusDriver)
	for i := range uint32(4) {
		_ = r.Write32(0, i)
		v, _ := r.Read32(4)
		_ = r.Write32(8, i)
		_ = r.Write32(12, v)
	}
	if got := f.Device().Accepted(); got != f.Device().Offered() || !got.Has(virtio.Version1) {
		t.Fatalf("accepted %v", got)
	}
	if s = status(s | virtio.StatusFeaturesOK); !s.Has(virtio.StatusFeaturesOK) {
		t.Fatalf("status %v", s)
	}
	wantRules(t, f.Device())
	if log := f.Log(); log[0].String() != "device_status/1 <- 0x0" {
		t.Errorf("log begins with %v", log[0])
	}
}
