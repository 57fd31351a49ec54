package vfio

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// registers returns a file of some pages that stands in for the file of a device, and a second
// mapping of it.
func registers(t *testing.T, pages int) (*os.File, []byte) {
	t.Helper()
	fd, err := unix.MemfdCreate("registers", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "registers")
	t.Cleanup(func() { file.Close() })
	size := pages * os.Getpagesize()
	if err := file.Truncate(int64(size)); err != nil {
		t.Fatal(err)
	}
	data, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(data) })
	return file, data
}

// bar returns a region whose registers are a file, mapped in the given areas.
func bar(t *testing.T, file *os.File, layout regionLayout) *region {
	t.Helper()
	f := &Function{device: file, log: discard()}
	r := f.mapRegion(2, layout)
	t.Cleanup(func() {
		if err := r.unmap(); err != nil {
			t.Error(err)
		}
	})
	if len(r.windows) != len(layout.areas) {
		t.Fatalf("%d of %d areas are mapped", len(r.windows), len(layout.areas))
	}
	return r
}

func TestRegisterAccess(t *testing.T) {
	page := uint64(os.Getpagesize())
	for name, areas := range map[string][]sparseArea{
		"mapped":       {{0, 2 * page}},
		"system calls": nil,
		"sparse":       {{page, page}},
	} {
		t.Run(name, func(t *testing.T) {
			file, data := registers(t, 2)
			r := bar(t, file, regionLayout{size: 2 * page, areas: areas})
			for _, base := range []uint64{0, page - 8, page, 2*page - 8} {
				copy(data[base:], []byte{1, 2, 3, 4, 0x85, 0x86, 0x87, 0x88})
				checkReads(t, r, base)
				checkWrites(t, r, base, data)
			}
		})
	}
}

func checkReads(t *testing.T, r *region, base uint64) {
	t.Helper()
	if v, err := r.Read8(base + 7); v != 0x88 || err != nil {
		t.Errorf("Read8: %#x, %v", v, err)
	}
	if v, err := r.Read16(base + 6); v != 0x8887 || err != nil {
		t.Errorf("Read16: %#x, %v", v, err)
	}
	if v, err := r.Read32(base + 4); v != 0x88878685 || err != nil {
		t.Errorf("Read32: %#x, %v", v, err)
	}
}

// checkWrites writes each width in turn and checks the neighbouring bytes too.
func checkWrites(t *testing.T, r *region, base uint64, data []byte) {
	t.Helper()
	for _, c := range []struct {
		write func() error
		want  []byte
	}{
		{func() error { return r.Write8(base+1, 0xff) }, []byte{1, 0xff, 3, 4}},
		{func() error { return r.Write16(base+2, 0xeedd) }, []byte{1, 0xff, 0xdd, 0xee}},
		{func() error { return r.Write32(base, 0x0a0b0c0d) }, []byte{0x0d, 0x0c, 0x0b, 0x0a}},
		{func() error { return ring(r, base+2, 2, 0x77776655) }, []byte{0x0d, 0x0c, 0x55, 0x66}},
		{func() error { return ring(r, base, 4, 0x44332211) }, []byte{0x11, 0x22, 0x33, 0x44}},
	} {
		want := append(c.want, 0x85, 0x86, 0x87, 0x88)
		if err := c.write(); err != nil || !bytes.Equal(data[base:base+8], want) {
			t.Errorf("at %#x: % x, %v; want % x", base, data[base:base+8], err, want)
		}
	}
}

func ring(r *region, off uint64, width int, v uint32) error {
	d, err := r.Doorbell(off, width)
	if err == nil {
		d.Ring(v)
	}
	return err
}

func TestAccessThatDoesNotFit(t *testing.T) {
	file, _ := registers(t, 1)
	// A BAR may be smaller than the page that is mapped for it.
	r := bar(t, file, regionLayout{size: 0x40, areas: []sparseArea{{0, uint64(os.Getpagesize())}}})
	if r.Size() != 0x40 {
		t.Errorf("size %#x", r.Size())
	}
	for name, access := range map[string]func() error{
		"read beyond the end":      func() error { _, err := r.Read8(0x40); return err },
		"read across the end":      func() error { _, err := r.Read32(0x3e); return err },
		"read at the last address": func() error { _, err := r.Read16(1<<64 - 2); return err },
		"read unaligned":           func() error { _, err := r.Read16(1); return err },
		"write beyond the end":     func() error { return r.Write8(0x40, 0) },
		"write unaligned":          func() error { return r.Write32(2, 0) },
		"doorbell beyond the end":  func() error { return ring(r, 0x40, 2, 0) },
		"doorbell unaligned":       func() error { return ring(r, 2, 4, 0) },
		"doorbell of one byte":     func() error { return ring(r, 0, 1, 0) },
		"doorbell of eight bytes":  func() error { return ring(r, 0, 8, 0) },
	} {
		var want *pci.Error
		if err := access(); !errors.As(err, &want) || want.Field != "BAR 2" {
			t.Errorf("%s: %v, want a *pci.Error about BAR 2", name, err)
		}
	}
}

// An access to a function that was unplugged, or does not decode its addresses, raises SIGBUS, as
// an access beyond the end of a truncated file does.
func TestRegistersOfARemovedFunctionReadAsAllOnes(t *testing.T) {
	page := uint64(os.Getpagesize())
	file, _ := registers(t, 1)
	r := bar(t, file, regionLayout{size: page, areas: []sparseArea{{0, page}}})
	doorbell, err := r.Doorbell(8, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Truncate(0); err != nil {
		t.Fatal(err)
	}
	if v, err := r.Read8(0); v != 0xff || err != nil {
		t.Errorf("Read8: %#x, %v", v, err)
	}
	if v, err := r.Read16(0); v != 0xffff || err != nil {
		t.Errorf("Read16: %#x, %v", v, err)
	}
	if v, err := r.Read32(0); v != 0xffffffff || err != nil {
		t.Errorf("Read32: %#x, %v", v, err)
	}
	if err := r.Write32(0, 1); err != nil {
		t.Errorf("Write32: %v", err)
	}
	doorbell.Ring(1)
	if debug.SetPanicOnFault(false) {
		t.Error("SetPanicOnFault is still set for this goroutine")
	}
	if err := file.Truncate(int64(page)); err != nil {
		t.Fatal(err)
	}
	if v, err := r.Read32(0); v != 0 || err != nil {
		t.Errorf("Read32 after the function came back: %#x, %v", v, err)
	}
}

func TestAreaThatCannotBeMappedIsAccessedBySystemCalls(t *testing.T) {
	page := uint64(os.Getpagesize())
	file, data := registers(t, 1)
	f := &Function{device: file, log: discard()}
	unaligned := []sparseArea{{Offset: 1, Size: page}} // mmap fails with EINVAL
	r := f.mapRegion(0, regionLayout{size: page, areas: unaligned})
	if len(r.windows) != 0 {
		t.Fatal("an unaligned area was mapped")
	}
	if err := r.Write16(4, 0x1234); err != nil || data[4] != 0x34 || data[5] != 0x12 {
		t.Errorf("Write16: % x, %v", data[4:6], err)
	}
}

func TestRegionOfAnInvalidBAR(t *testing.T) {
	f := &Function{address: "0000:00:03.0", log: discard()}
	for _, n := range []int{-1, 6, 7} {
		var want *pci.Error
		if _, err := f.Region(n); !errors.As(err, &want) || want.Field != fmt.Sprintf("BAR %d", n) ||
			want.Device != f.address {
			t.Errorf("BAR %d: %v, want a *pci.Error about it", n, err)
		}
	}
}

func BenchmarkDoorbell(b *testing.B) {
	page := os.Getpagesize()
	data, err := unix.Mmap(-1, 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANON)
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Munmap(data)
	r := &region{layout: regionLayout{size: uint64(page)}, windows: []window{{data: data}}}
	doorbell, err := r.Doorbell(0, 2)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		doorbell.Ring(1)
	}
}
