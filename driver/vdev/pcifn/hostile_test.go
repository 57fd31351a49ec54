package pcifn

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/pci"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPoke(t *testing.T) {
	h := newHost(t, Config{})
	at := h.f.Capability(capNotify)
	h.f.Poke(at+1, byte(at)) // an endless list
	var loop *pci.Error
	if _, err := pci.Capabilities(h.f); !errors.As(err, &loop) || loop.Value != uint64(at) ||
		!strings.Contains(loop.Reason, "loop") {
		t.Errorf("%v", err)
	}
	if b := h.f.Peek(); int(b[at+1]) != at || b[0] != 0xf4 {
		t.Error("Peek does not return what Poke wrote")
	}
	h.f.Poke(-1, 1)
	h.f.Poke(1000, 1)
	wantRules(t, h.f.Device())
}

// Hooks are called for every access and may change or discard it, also when one of
// them unplugs the function.
func TestHooks(t *testing.T) {
	h := newHost(t, Config{})
	var seen []uint64
	h.f.SetHooks(Hooks{
		Read: func(bar int, off uint64, width int, v uint32) uint32 {
			if off == cNumQueues {
				return 0xfffff
			}
			return v
		},
		Write: func(bar int, off uint64, width int, v uint32) (uint32, bool) {
			seen = append(seen, off)
			if off == cQueueSelect {
				h.f.Unplug()
			}
			return v + 1, off != cConfigVector
		},
		ReadConfig:  func(off, width int, v uint32) uint32 { return v ^ 1 },
		WriteConfig: func(off, width int, v uint32) (uint32, bool) { return v, false },
	})
	if v := h.get(cNumQueues, 2); v != 0xffff {
		t.Errorf("num_queues %#x", v)
	}
	h.put(cConfigVector, 2, 1)
	h.put(cDeviceFeatureSelect, 4, 1)
	if v := h.get(cDeviceFeatureSelect, 4); v != 2 {
		t.Errorf("device_feature_select %d", v)
	}
	if v, _ := h.f.ReadConfig(0, 2); v != 0x1af5 {
		t.Errorf("vendor %#x", v)
	}
	if err := h.f.WriteConfig(pci.RegCommand, 2, 0); err != nil {
		t.Fatal(err)
	}
	h.put(cQueueSelect, 2, 0)
	if h.get(cQueueSelect, 2) != 0xffff {
		t.Error("the function is still there")
	}
	if !slices.Equal(seen, []uint64{cConfigVector, cDeviceFeatureSelect, cQueueSelect}) {
		t.Errorf("writes seen: %v", seen)
	}
	wantRules(t, h.f.Device())
}

func TestCommandRegister(t *testing.T) {
	h := newHost(t, Config{Device: vdev.Config{Backend: wire.Gen(64)}})
	before, err := pci.UpdateCommand(h.f, 0, pci.CommandBusMaster)
	if err != nil || before&pci.CommandBusMaster == 0 {
		t.Fatalf("command %#x, %v", before, err)
	}
	if v, _ := h.f.ReadConfig(pci.RegCommand, 2); v != uint32(before&^pci.CommandBusMaster) {
		t.Errorf("command %#x", v)
	}
	// Sizing a BAR finds the size of the region, header fields stay as they are.
	reg := pci.RegBAR0 + 4*modernBAR
	_ = h.f.WriteConfig(reg, 4, 0xffffffff)
	if v, _ := h.f.ReadConfig(reg, 4); v&^15 != uint32(-h.r.Size()) {
		t.Errorf("BAR %d sizes as %#x", modernBAR, v)
	}
	_ = h.f.WriteConfig(0, 4, 0)
	if v, _ := h.f.ReadConfig(0, 2); v != vendorVirtio {
		t.Errorf("vendor %#x", v)
	}
	for _, err := range []error{h.f.WriteConfig(1, 2, 0), h.f.WriteConfig(256, 1, 0), h.f.WriteConfig(0, 3, 0)} {
		var e *pci.Error
		if !errors.As(err, &e) || e.Field != "configuration space" {
			t.Errorf("%v", err)
		}
	}
	wantRules(t, h.f.Device())
}

// The registers can be reached through configuration space, as firmware does.
func TestConfigWindow(t *testing.T) {
	h := newHost(t, Config{})
	at := h.f.Capability(capPCI)
	point := func(bar, off, length uint32) {
		for i, v := range []uint32{bar, off, length} {
			width := 4
			if i == 0 {
				width = 1
			}
			if err := h.f.WriteConfig(at+4+4*i, width, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	h.status(0)
	point(modernBAR, cStatus, 1)
	if err := h.f.WriteConfig(at+16, 1, 1); err != nil {
		t.Fatal(err)
	}
	if v, err := h.f.ReadConfig(at+16, 1); v != 1 || err != nil || h.get(cStatus, 1) != 1 {
		t.Errorf("status %d, %v", v, err)
	}
	wantRules(t, h.f.Device())
	point(modernBAR, cNumQueues, 4)
	_, _ = h.f.ReadConfig(at+16, 4)
	wantRules(t, h.f.Device(), "pci/cfgaccess/1")
	h.f.Device().ClearViolations()
	point(modernBAR, 0x800, 4)
	_, _ = h.f.ReadConfig(at+16, 4)
	wantRules(t, h.f.Device(), "pci/cfgaccess/2")
}

func TestDMA(t *testing.T) {
	h := newHost(t, Config{Ranges: []pci.Range{{First: 0, Last: 0xfffff}, {First: 0x100000, Last: 1<<39 - 1}}})
	if dma := h.f.DMA(); dma.Physical || len(dma.Ranges) != 2 {
		t.Errorf("%+v", dma)
	}
	if err := h.f.UnmapDMA(hostBase, len(h.mem)); err != nil {
		t.Fatal(err)
	}
	var e *Error
	for _, iova := range []uint64{1 << 39, 1<<39 - 4096, 0xff000} {
		if err := h.f.MapDMA(iova, h.mem); !errors.As(err, &e) {
			t.Errorf("%#x: %v", iova, err)
		}
	}
	if p := open(t, Config{Physical: true}); !p.DMA().Physical || p.Device().Offered().Has(virtio.AccessPlatform) {
		t.Error("a function without IOMMU offers ACCESS_PLATFORM")
	}
}

// Without an IOMMU the device takes addresses without ACCESS_PLATFORM; behind
// one it does not.
func TestPhysical(t *testing.T) {
	h := newHost(t, Config{Physical: true})
	h.up(virtio.FeatureSet(virtio.Version1))
	wantRules(t, h.f.Device())
	h = newHost(t, Config{Device: vdev.Config{Refuse: virtio.FeatureSet(virtio.AccessPlatform)}})
	h.negotiate(virtio.FeatureSet(virtio.Version1))
	if s := h.status(15); !s.Has(virtio.StatusNeedsReset) {
		t.Errorf("status %v", s)
	}
	wantRules(t, h.f.Device(), "basic/reserved/5")
}

func TestResetAndClose(t *testing.T) {
	h := newHost(t, Config{})
	h.up(minimal)
	if err := h.f.Reset(); err != nil || h.get(cStatus, 1) != 0 || h.get(cQueueSelect, 2) != 0 {
		t.Errorf("the function was not reset: %v", err)
	}
	wantRules(t, h.f.Device())
	h.up(minimal)
	bell, err := h.r.Doorbell(notifyOff, 2)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := h.f.Close(); err != nil {
			t.Error(err)
		}
	}
	bell.Ring(0)
	_, e1 := h.f.ReadConfig(0, 2)
	_, e2 := h.r.Read8(cStatus)
	_, e3 := h.f.Region(modernBAR)
	_, e4 := h.f.Vectors(pci.MSIX)
	for i, err := range []error{e1, e2, e3, e4, h.f.Reset(), h.f.MapDMA(0, h.mem), h.f.UnmapDMA(0, 1), h.f.SetIRQ(pci.MSIX, nil)} {
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, os.ErrClosed) {
			t.Errorf("call %d: %v", i, err)
		}
	}
	wantRules(t, h.f.Device(), "basic/cleanup/2")
}

// closeCounter is a back end that counts how often it is closed.
type closeCounter struct {
	*wire.Sink
	n int
}

func (c *closeCounter) Close() error { c.n++; return nil }

// An invalid configuration is an error, and the back end is closed.
func TestConfigErrors(t *testing.T) {
	for field, cfg := range map[string]Config{
		"Vectors":          {Vectors: 2049},
		"NotifyMultiplier": {NotifyMultiplier: 3},
		"Ranges":           {Ranges: []pci.Range{{First: 2, Last: 1}}},
		"Pairs":            {Device: vdev.Config{Pairs: -1}},
	} {
		c := &closeCounter{Sink: wire.Null()}
		cfg.Device.Backend = c
		_, err := New(cfg)
		var e *vdev.Error
		if !errors.As(err, &e) || e.Field != field || c.n != 1 {
			t.Errorf("%s: %v, closed %d times", field, err, c.n)
		}
	}
}
