package pci_test

import (
	"bytes"
	"errors"
	"io/fs"
	"reflect"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// config returns configuration space with a capability list: entries maps an
// offset to the bytes there, the first of which are id and next pointer.
func config(first byte, entries map[int][]byte) pci.ConfigSpace {
	c := make(pci.ConfigSpace, pci.ConfigSize)
	copy(c, []byte{0xf4, 0x1a, 0x41, 0x10})
	c[pci.RegStatus] = 0x10
	c[pci.RegCapabilities] = first
	for off, b := range entries {
		copy(c[off:], b)
	}
	return c
}

func TestCapabilitiesFollowTheList(t *testing.T) {
	c := config(0xdc, map[int][]byte{
		0xdc: {0x10, 0x40},
		0x40: {0x09, 0x98, 16, 1},
		0x98: {0x11, 0x84, 3, 0, 1},
		0x84: {0x00, 0xec}, // a null capability is listed like any other
		0xec: {0x09, 0x00, 20, 2},
	})
	got, err := pci.Capabilities(c)
	want := []pci.Capability{
		{ID: 0x10, Offset: 0xdc}, {ID: 0x09, Offset: 0x40, Len: 16}, {ID: 0x11, Offset: 0x98, Len: 12},
		{ID: 0, Offset: 0x84}, {ID: 0x09, Offset: 0xec, Len: 20},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %v, %v", got, err)
	}
	var vendor []int
	for v := range pci.Vendor(got) {
		vendor = append(vendor, v.Offset)
	}
	if !reflect.DeepEqual(vendor, []int{0x40, 0xec}) {
		t.Errorf("vendor-specific ones are at %#x", vendor)
	}
	if m, ok := pci.First(got, pci.CapabilityMSIX); !ok || m.Offset != 0x98 {
		t.Errorf("MSI-X: %v %v", m, ok)
	}
	if _, ok := pci.First(got, pci.CapabilityID(0x05)); ok {
		t.Error("found MSI, which is not there")
	}
}

func TestCapabilitiesNoList(t *testing.T) {
	c := config(0x41, nil) // the pointer is wrong, but the status bit says not to look
	c[pci.RegStatus] = 0
	if got, err := pci.Capabilities(c); got != nil || err != nil {
		t.Errorf("no status bit: %v, %v", got, err)
	}
	if got, err := pci.Capabilities(config(0, nil)); got != nil || err != nil {
		t.Errorf("empty list: %v, %v", got, err)
	}
}

func TestCapabilitiesFillConfigurationSpace(t *testing.T) {
	entries := map[int][]byte{}
	for off := pci.HeaderSize; off < pci.ConfigSize; off += 4 {
		entries[off] = []byte{0x01, byte(off + 4)} // the last pointer wraps to 0: the end
	}
	got, err := pci.Capabilities(config(0x40, entries))
	if err != nil || len(got) != 48 {
		t.Errorf("%d capabilities, %v; want all 48", len(got), err)
	}
}

func TestCapabilitiesLoop(t *testing.T) {
	for name, c := range map[string]struct {
		space          pci.ConfigSpace
		offset, target int
	}{
		"itself": {config(0x40, map[int][]byte{0x40: {1, 0x40}}), 0x41, 0x40},
		"two":    {config(0x50, map[int][]byte{0x50: {1, 0x60}, 0x60: {5, 0x50}}), 0x61, 0x50},
		"tail": {config(0x50, map[int][]byte{0x50: {1, 0x60}, 0x60: {9, 0xfc, 16}, 0xfc: {1, 0x60}}),
			0xfd, 0x60},
	} {
		_, err := pci.Capabilities(c.space)
		var loop *pci.Error
		if !errors.As(err, &loop) || loop.Offset != uint64(c.offset) || loop.Value != uint64(c.target) ||
			!strings.Contains(loop.Reason, "loop") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCapabilitiesBroken(t *testing.T) {
	for name, c := range map[string]struct {
		space         pci.ConfigSpace
		offset, value int
		found         int
	}{
		"first into the header":     {config(0x3c, nil), 0x34, 0x3c, 0},
		"first unaligned":           {config(0x42, nil), 0x34, 0x42, 0},
		"next into the header":      {config(0x40, map[int][]byte{0x40: {1, 0x04}}), 0x41, 0x04, 1},
		"next unaligned":            {config(0x40, map[int][]byte{0x40: {1, 0x81}}), 0x41, 0x81, 1},
		"last byte":                 {config(0xff, nil), 0x34, 0xff, 0},
		"gone":                      {config(0x40, map[int][]byte{0x40: {0xff, 0xff}}), 0x40, 0xff, 0},
		"vendor without length":     {config(0x40, map[int][]byte{0x40: {9, 0, 2}}), 0x42, 2, 0},
		"vendor past the end":       {config(0xf4, map[int][]byte{0xf4: {9, 0, 13}}), 0xf4, 13, 0},
		"vendor long, past the end": {config(0x40, map[int][]byte{0x40: {9, 0, 0xff}}), 0x40, 0xff, 0},
		"MSI-X past the end":        {config(0xf8, map[int][]byte{0xf8: {0x11, 0}}), 0xf8, 12, 0},
	} {
		got, err := pci.Capabilities(c.space)
		var broken *pci.Error
		if !errors.As(err, &broken) || broken.Field != "capability list" ||
			broken.Offset != uint64(c.offset) ||
			broken.Value != uint64(c.value) || broken.Remedy == "" || len(got) != c.found {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestCapabilitiesUnprivileged(t *testing.T) {
	c := config(0x40, map[int][]byte{0x40: {1, 0}})[:pci.HeaderSize]
	_, err := pci.Capabilities(c)
	var short *pci.Error
	if !errors.As(err, &short) || short.Offset != 0x40 ||
		!strings.Contains(err.Error(), "only the first 64 bytes") ||
		!errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v", err)
	}
}

func TestCapabilityRead(t *testing.T) {
	body := []byte{9, 0, 19, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18}
	c := config(0xec, map[int][]byte{0xec: body})
	caps, err := pci.Capabilities(c)
	if err != nil || len(caps) != 1 {
		t.Fatal(caps, err)
	}
	if b, err := caps[0].Read(c); err != nil || !bytes.Equal(b, body) {
		t.Errorf("% x, %v", b, err)
	}
}

func TestReadMSIX(t *testing.T) {
	c := config(0x98, map[int][]byte{
		0x98: {0x11, 0, 0xff, 0xc7, 0x01, 0x20, 0, 0, 0x05, 0x08, 0, 0x10},
	})
	caps, err := pci.Capabilities(c)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pci.ReadMSIX(c, caps[0])
	want := pci.MSIXTable{Vectors: 2048, Enabled: true, Masked: true,
		TableBAR: 1, TableOffset: 0x2000, PBABAR: 5, PBAOffset: 0x10000800}
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	if got.Size() != 32768 || got.PBASize() != 256 {
		t.Errorf("table %d bytes, PBA %d", got.Size(), got.PBASize())
	}
	if one := (pci.MSIXTable{Vectors: 1}); one.Size() != 16 || one.PBASize() != 8 {
		t.Errorf("one vector: table %d bytes, PBA %d", one.Size(), one.PBASize())
	}

	c[0x98+8] = 6
	var broken *pci.Error
	if _, err = pci.ReadMSIX(c, caps[0]); !errors.As(err, &broken) || broken.Offset != 0xa0 ||
		broken.Value != 6 {
		t.Errorf("PBA in BAR 6: %v", err)
	}
	vendor := pci.Capability{ID: pci.CapabilityVendor, Offset: 0x40, Len: 16}
	if _, err = pci.ReadMSIX(c, vendor); !errors.As(err, &broken) {
		t.Errorf("another capability: %v", err)
	}
}

// shifting is a device that answers every read with the next bytes of a tape, so that no two reads
// of a register agree. It fails the test on an access that configuration space does not allow.
type shifting struct {
	t     *testing.T
	tape  []byte
	reads int
}

func (s *shifting) ReadConfig(off, width int) (uint32, error) {
	if err := pci.CheckConfigAccess(off, width, pci.ConfigSize); err != nil {
		s.t.Fatalf("read outside of configuration space: %v", err)
	}
	var v uint32
	for i := range width {
		if len(s.tape) > 0 {
			v |= uint32(s.tape[s.reads*4%len(s.tape)]) << (8 * i)
			s.tape = append(s.tape[1:], s.tape[0])
		}
	}
	s.reads++
	return v, nil
}

func FuzzCapabilities(f *testing.F) {
	f.Add([]byte(config(0x40, map[int][]byte{0x40: {9, 0x50, 16}, 0x50: {0x11, 0x40}})))
	f.Add([]byte(config(0xf4, map[int][]byte{0xf4: {9, 0, 12}})))
	f.Add([]byte{0x10, 0x40, 0x09, 0x44})
	f.Fuzz(func(t *testing.T, b []byte) {
		space := make(pci.ConfigSpace, pci.ConfigSize)
		copy(space, b)
		check(t, space)

		device := &shifting{t: t, tape: bytes.Clone(b)}
		check(t, device)
		if device.reads > 2+2*48+48*(64+3)+6+1 {
			t.Fatalf("%d reads of configuration space", device.reads)
		}
	})
}

// check walks and reads everything and verifies what the functions promise about their results.
func check(t *testing.T, fn pci.ConfigReader) {
	caps, err := pci.Capabilities(fn)
	var broken *pci.Error
	if err != nil && (!errors.As(err, &broken) || broken.Field != "capability list") {
		t.Fatalf("an error of another kind: %v", err)
	}
	seen := map[int]bool{}
	for _, c := range caps {
		if seen[c.Offset] || c.Offset < pci.HeaderSize || c.Offset%4 != 0 ||
			c.Offset+max(c.Len, 2) > pci.ConfigSize {
			t.Fatalf("invalid capability %+v of %v", c, caps)
		}
		seen[c.Offset] = true
		if body, err := c.Read(fn); err != nil || len(body) != c.Len {
			t.Fatalf("%+v reads as %d bytes, %v", c, len(body), err)
		}
		if c.ID != pci.CapabilityMSIX {
			continue
		}
		m, err := pci.ReadMSIX(fn, c)
		if err == nil && (m.Vectors < 1 || m.Vectors > 2048 || m.TableBAR > 5 || m.PBABAR > 5) {
			t.Fatalf("invalid MSI-X %+v", m)
		}
	}
	if bars, err := pci.ReadBARs(fn); err == nil && len(bars) > 6 {
		t.Fatalf("%d BARs", len(bars))
	}
}
