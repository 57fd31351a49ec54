package vpci_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vpci"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/pci"
)

// pci/discovery/1, pci/discovery/2, pci/discovery/3
func TestDiscovery(t *testing.T) {
	for _, transitional := range []bool{false, true} {
		for _, revision := range []byte{0, 1, 0xff} {
			fn := function(t, pcifn.Config{Transitional: transitional})
			fn.Poke(pci.RegRevisionID, revision)
			open(t, fn)
		}
	}
}

func TestOtherFunctionsAreRefused(t *testing.T) {
	for _, c := range []struct {
		vendor, device uint16
		text           string
	}{
		{0x8086, 0x1041, "8086:1041 is no virtio device"},
		{0x1af4, 0x1042, "a virtio device of another type"},
		{0x1af4, 0x1001, "a virtio device of another type"},
		{0x1af4, 0x1110, "no virtio device"},
	} {
		fn := function(t, pcifn.Config{})
		fn.Poke(pci.RegVendorID, byte(c.vendor), byte(c.vendor>>8), byte(c.device),
			byte(c.device>>8))
		_, err := vpci.Open(fn, vpci.Options{})
		e := as[*vpci.UnsupportedError](t, err)
		if e.Legacy || !errors.Is(err, errors.ErrUnsupported) || e.Vendor != c.vendor ||
			e.Device != c.device || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%04x:%04x: %v", c.vendor, c.device, err)
		}
		untouched(t, fn)
	}
}

// pci/legacy-detect/1, pci/legacy-detect/2
func TestLegacyDeviceIsRefused(t *testing.T) {
	fn := function(t, pcifn.Config{LegacyOnly: true})
	_, err := vpci.Open(fn, vpci.Options{})
	if e := as[*vpci.UnsupportedError](t, err); !e.Legacy || e.Device != 0x1000 ||
		!strings.Contains(err.Error(), "disable-modern=off") {
		t.Errorf("the error does not help: %v", err)
	}
	untouched(t, fn)
}

// untouched fails if the function was written to or its registers were read.
func untouched(t *testing.T, fn *pcifn.Function) {
	t.Helper()
	for _, a := range fn.Log() {
		if a.Write || a.BAR != pcifn.ConfigSpace {
			t.Errorf("the function was touched: %v", a)
		}
	}
}

func TestFailedOpenClosesTheFunction(t *testing.T) {
	fn := function(t, pcifn.Config{LegacyOnly: true})
	if _, err := vpci.Open(fn, vpci.Options{}); err == nil {
		t.Fatal("a legacy device was opened")
	}
	_, err := fn.ReadConfig(0, 2)
	if as[*pcifn.Error](t, err); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

func TestAbsentFunction(t *testing.T) {
	fn := function(t, pcifn.Config{Address: "0000:00:03.0"})
	fn.Unplug()
	_, err := vpci.Open(fn, vpci.Options{})
	isRemoved(t, err)
	if e := as[*transport.Error](t, err); e.Device != "0000:00:03.0" {
		t.Errorf("device %q", e.Device)
	}
}
