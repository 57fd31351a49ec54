package pci_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// writable is configuration space that remembers how often it was written.
type writable struct {
	pci.ConfigSpace
	writes int
}

func (w *writable) WriteConfig(off, width int, v uint32) error {
	if err := pci.CheckConfigAccess(off, width, len(w.ConfigSpace)); err != nil {
		return err
	}
	w.writes++
	for i := range width {
		w.ConfigSpace[off+i] = byte(v >> (8 * i))
	}
	return nil
}

func TestUpdateCommand(t *testing.T) {
	w := &writable{ConfigSpace: config(0, nil)}
	binary.LittleEndian.PutUint16(w.ConfigSpace[pci.RegCommand:], 0x0143)
	status := w.ConfigSpace[pci.RegStatus]
	before, err := pci.UpdateCommand(w, pci.CommandBusMaster|pci.CommandINTxDisable, pci.CommandIO)
	after := binary.LittleEndian.Uint16(w.ConfigSpace[pci.RegCommand:])
	if err != nil || before != 0x0143 || after != 0x0546 || w.writes != 1 ||
		w.ConfigSpace[pci.RegStatus] != status {
		t.Errorf("%#x became %#x in %d writes, %v", before, after, w.writes, err)
	}
	if _, err = pci.UpdateCommand(w, pci.CommandBusMaster, pci.CommandIO); err != nil ||
		w.writes != 1 {
		t.Errorf("no change: %d writes, %v", w.writes, err)
	}
}

func TestConfigSpaceRefuses(t *testing.T) {
	c := config(0, nil)
	for _, a := range [][2]int{{-4, 4}, {0x100, 1}, {0xfe, 4}, {1, 2}, {2, 4}, {0, 3}, {0, 0},
		{0, 8}} {
		_, err := c.ReadConfig(a[0], a[1])
		var wrong *pci.Error
		if !errors.As(err, &wrong) || wrong.Field != "configuration space" ||
			wrong.Offset != uint64(a[0]) ||
			!strings.Contains(wrong.Reason, fmt.Sprintf("%d bytes at %#x", a[1], a[0])) ||
			!strings.Contains(wrong.Reason, "inside 256 bytes") {
			t.Errorf("%d bytes at %#x: %v", a[1], a[0], err)
		}
	}
	if v, err := c.ReadConfig(0, 4); err != nil || v != 0x10411af4 {
		t.Errorf("first 4 bytes: %#x, %v", v, err)
	}
	if v, err := c.ReadConfig(2, 2); err != nil || v != 0x1041 {
		t.Errorf("device id: %#x, %v", v, err)
	}
}

func TestReadBARs(t *testing.T) {
	c := config(0, nil)
	set := func(i int, v uint32) { binary.LittleEndian.PutUint32(c[pci.RegBAR0+4*i:], v) }
	set(0, 0xc041)
	set(1, 0xfebd1000)
	set(4, 0xfe00000c)
	set(5, 0x00000002)
	got, err := pci.ReadBARs(c)
	want := []pci.BAR{
		{Index: 0, IO: true, Base: 0xc040},
		{Index: 1, Base: 0xfebd1000},
		{Index: 4, Wide: true, Prefetchable: true, Base: 0x2fe000000},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}

	var wrong *pci.Error
	set(4, 0xfe000002)
	if _, err = pci.ReadBARs(c); !errors.As(err, &wrong) || wrong.Field != "BAR 4" {
		t.Errorf("reserved type: %v", err)
	}
	set(4, 0)
	set(5, 0xfe000004)
	if _, err = pci.ReadBARs(c); !errors.As(err, &wrong) || wrong.Field != "BAR 5" {
		t.Errorf("64-bit BAR 5: %v", err)
	}
}

func TestCheckAccess(t *testing.T) {
	for _, c := range []struct {
		off   uint64
		width int
		size  uint64
		fault string
	}{
		{0, 4, 4, ""},
		{0xffe, 2, 0x1000, ""},
		{0xfff, 1, 0x1000, ""},
		{0x1000, 1, 0x1000, "outside"},
		{0, 2, 1, "outside"},
		{0xfffffffffffffffc, 4, 0x1000, "outside"},
		{0, 1, 0, "outside"},
		{2, 4, 0x1000, "aligned"},
		{0, 3, 0x1000, "width"},
		{0, 0, 0x1000, "width"},
	} {
		err := pci.CheckAccess(2, c.off, c.width, c.size)
		if c.fault == "" {
			if err != nil {
				t.Errorf("%+v: %v", c, err)
			}
			continue
		}
		var wrong *pci.Error
		if !errors.As(err, &wrong) || wrong.Field != "BAR 2" || wrong.Offset != c.off ||
			!strings.Contains(err.Error(), c.fault) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestCheckDoorbell(t *testing.T) {
	for width, fault := range map[int]string{2: "", 4: "", 1: "width of a doorbell", 8: "width"} {
		err := pci.CheckDoorbell(2, 8, width, 0x1000)
		if (err == nil) != (fault == "") || err != nil && !strings.Contains(err.Error(), fault) {
			t.Errorf("%d bytes: %v", width, err)
		}
	}
	var wrong *pci.Error
	if err := pci.CheckDoorbell(2, 0x1000, 2, 0x1000); !errors.As(err, &wrong) ||
		wrong.Offset != 0x1000 {
		t.Errorf("outside: %v", err)
	}
}
