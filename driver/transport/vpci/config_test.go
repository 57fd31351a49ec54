package vpci_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

func TestReadConfig(t *testing.T) {
	_, d := emulate(t, pcifn.Config{Device: vdev.Config{MAC: []byte{2, 3, 4, 5, 6, 7}, MTU: 0x1234,
		Pairs: 3}})
	for _, c := range []struct {
		off, width int
		want       []byte
	}{
		{virtio.NetConfigMAC, 1, []byte{2, 3, 4, 5, 6, 7}},
		{virtio.NetConfigStatus, 2, []byte{1, 0}},
		{virtio.NetConfigMaxPairs, 2, []byte{3, 0, 0x34, 0x12}},
		{virtio.NetConfigSpeed, 4, []byte{0x10, 0x27, 0, 0}},
		{virtio.NetConfigDuplex, 1, []byte{1}},
		{virtio.NetConfigMAC, 1, nil},
	} {
		b := make([]byte, len(c.want))
		if err := d.ReadConfig(c.off, c.width, b); err != nil || !slices.Equal(b, c.want) {
			t.Errorf("at %d: %x, %v; wanted %x", c.off, b, err, c.want)
		}
	}
}

// basic/config/2: k changes during the reading take exactly k+1 passes, each
// between two reads of the generation; fault/29: they are bounded.
func TestConfigGeneration(t *testing.T) {
	for _, flaps := range []int{0, 1, 2, 15, 16, -1} {
		fn, d := emulate(t, pcifn.Config{Device: vdev.Config{Faults: vdev.Faults{GenerationFlaps: flaps}}})
		b := []byte{0xee, 0xee}
		err := d.ReadConfig(virtio.NetConfigStatus, 2, b)
		passes := flaps + 1
		if flaps < 0 || passes > 16 {
			passes = 16
			if e := as[*transport.Error](t, err); !strings.Contains(e.Op, "at 0x6") ||
				!strings.Contains(e.Reason, "16 times") {
				t.Errorf("%v", err)
			}
			if b[0] != 0xee || b[1] != 0xee {
				t.Errorf("an unstable value was returned: %x", b)
			}
		} else {
			must(t, err)
		}
		if n := count(fn, "config", false); n != passes {
			t.Errorf("%d changes: read %d times", flaps, n)
		}
		if n := count(fn, "config_generation", false); n != 2*passes {
			t.Errorf("%d changes: the generation was read %d times", flaps, n)
		}
	}
}

// basic/config/1: a MAC that changes while it is read is never seen torn.
func TestConfigIsNotTorn(t *testing.T) {
	fn, d := emulate(t, pcifn.Config{})
	changed := false
	fn.SetHooks(pcifn.Hooks{Read: func(bar int, off uint64, width int, v uint32) uint32 {
		if bar == modernBAR && off == 0x2002 && !changed {
			changed = true
			fn.Device().SetConfig(virtio.NetConfigMAC, 0xa, 0xa, 0xa, 0xa, 0xa, 0xa)
		}
		return v
	}})
	var mac [6]byte
	must(t, d.ReadConfig(virtio.NetConfigMAC, 1, mac[:]))
	if mac != [6]byte{0xa, 0xa, 0xa, 0xa, 0xa, 0xa} {
		t.Errorf("MAC %x", mac)
	}
}

// basic/config/5: a part beyond the end is an error and is not read.
func TestConfigBounds(t *testing.T) {
	fn := function(t, pcifn.Config{})
	put32(fn, fn.Capability(capDevice)+fieldLength, 8)
	d := open(t, fn)
	for _, c := range []struct{ off, width, n int }{
		{8, 2, 2}, {6, 2, 4}, {0, 1, 9}, {1 << 40, 1, 1}, {-2, 2, 2}, {1 << 62, 4, 4},
		{1, 2, 2}, {0, 3, 3}, {0, 8, 8}, {0, 0, 4}, {0, 2, 3}, {0, -1, 1},
	} {
		err := d.ReadConfig(c.off, c.width, make([]byte, c.n))
		what := fmt.Sprintf("reading %d bytes of device configuration at %#x in accesses of %d",
			c.n, c.off, c.width)
		e := as[*transport.Error](t, err)
		if e.Op != what || e.Reason != "the device configuration has 8 bytes only" &&
			e.Reason != "this is not an aligned access of 1, 2 or 4 bytes" {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if n := count(fn, "config", false); n != 0 {
		t.Errorf("%d registers were read", n)
	}
	must(t, d.ReadConfig(virtio.NetConfigStatus, 2, make([]byte, 2)))
}

func TestNoDeviceConfiguration(t *testing.T) {
	fn := function(t, pcifn.Config{})
	fn.Poke(fn.Capability(capDevice)+fieldType, 0)
	d := open(t, fn)
	bringUp(t, d, features)
	e := as[*transport.Error](t, d.ReadConfig(0, 1, make([]byte, 1)))
	if e.Reason != "the device has no device configuration" {
		t.Errorf("%v", e)
	}
}
