package vfio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// region is the registers behind one BAR. What can be mapped is mapped; the rest, and all of an I/O
// BAR, is accessed by system calls on the device's file.
//
// If the function was removed, or does not decode its addresses, reads return all ones and writes
// do nothing, as on the bus.
type region struct {
	bar     int
	file    *os.File
	layout  regionLayout
	windows []window
}

// window is a mapped part of a BAR that begins at offset first.
type window struct {
	first uint64
	data  []byte
}

// Region returns the registers behind a BAR, mapped on first use.
func (f *Function) Region(bar int) (pci.Region, error) {
	if bar < 0 || bar >= len(f.bars) {
		return nil, f.noBAR(bar)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.bars[bar] == nil {
		layout, err := f.layout(bar)
		if err != nil {
			return nil, err
		}
		if layout.size == 0 {
			return nil, f.noBAR(bar)
		}
		f.bars[bar] = f.mapRegion(bar, layout)
	}
	return f.bars[bar], nil
}

// noBAR is the error for a BAR that the function does not have.
func (f *Function) noBAR(bar int) error {
	return &pci.Error{Device: f.address, Field: fmt.Sprintf("BAR %d", bar),
		Reason: "the function has no such BAR"}
}

// layout queries the kernel about a BAR.
func (f *Function) layout(bar int) (regionLayout, error) {
	reply, err := query(f.device, getRegionInfo, &regionInfo{Index: uint32(bar)})
	if err != nil {
		return regionLayout{}, err
	}
	return parseRegionInfo(reply, f.vectorTable(bar), uint64(os.Getpagesize()))
}

// vectorTable returns where in a BAR the MSI-X table is, an empty area if it is not there or if the
// device's capabilities are invalid: the transport reports those, and an area that the kernel
// refuses to map is accessed by system calls.
func (f *Function) vectorTable(bar int) sparseArea {
	caps, err := pci.Capabilities(f)
	if err != nil {
		return sparseArea{}
	}
	msix, found := pci.First(caps, pci.CapabilityMSIX)
	if !found {
		return sparseArea{}
	}
	table, err := pci.ReadMSIX(f, msix)
	if err != nil || table.TableBAR != bar {
		return sparseArea{}
	}
	return sparseArea{Offset: uint64(table.TableOffset), Size: table.Size()}
}

// mapRegion maps what can be mapped of a BAR. The rest is accessed by system calls, which are
// slower.
func (f *Function) mapRegion(bar int, layout regionLayout) *region {
	r := &region{bar: bar, file: f.device, layout: layout}
	for _, area := range layout.areas {
		data, err := unix.Mmap(int(f.device.Fd()), int64(layout.offset+area.Offset), int(area.Size),
			unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err != nil {
			f.log.Warn("registers cannot be mapped and are accessed by system calls",
				"function", f.address, "bar", bar, "offset", area.Offset, "size", area.Size, "error", err)
			continue
		}
		r.windows = append(r.windows, window{first: area.Offset, data: data})
	}
	return r
}

// unmap removes the mappings.
func (r *region) unmap() error {
	var errs []error
	for _, w := range r.windows {
		errs = append(errs, unix.Munmap(w.data))
	}
	r.windows = nil
	return errors.Join(errs...)
}

// Size returns the length of the BAR in bytes.
func (r *region) Size() uint64 { return r.layout.size }

func (r *region) Read8(off uint64) (uint8, error) {
	v, err := r.read(off, 1)
	return uint8(v), err
}

func (r *region) Read16(off uint64) (uint16, error) {
	v, err := r.read(off, 2)
	return uint16(v), err
}

func (r *region) Read32(off uint64) (uint32, error) { return r.read(off, 4) }

func (r *region) Write8(off uint64, v uint8) error { return r.write(off, 1, uint32(v)) }

func (r *region) Write16(off uint64, v uint16) error { return r.write(off, 2, uint32(v)) }

func (r *region) Write32(off uint64, v uint32) error { return r.write(off, 4, v) }

// Doorbell returns a register as a doorbell.
func (r *region) Doorbell(off uint64, width int) (interface{ Ring(v uint32) }, error) {
	if err := pci.CheckDoorbell(r.bar, off, width, r.layout.size); err != nil {
		return nil, err
	}
	if register := r.mapped(off, width); register != nil {
		return &mappedDoorbell{register: register}, nil
	}
	return &syscallDoorbell{region: r, off: off, width: width}, nil
}

// mapped returns the bytes of a register if all of them are mapped.
func (r *region) mapped(off uint64, width int) []byte {
	for _, w := range r.windows {
		if off >= w.first && off-w.first+uint64(width) <= uint64(len(w.data)) {
			return w.data[off-w.first:][:width:width]
		}
	}
	return nil
}

// read reads a register of width bytes in one access.
func (r *region) read(off uint64, width int) (uint32, error) {
	if err := pci.CheckAccess(r.bar, off, width, r.layout.size); err != nil {
		return 0, err
	}
	if register := r.mapped(off, width); register != nil {
		return load(register), nil
	}
	var b [4]byte
	if _, err := r.file.ReadAt(b[:width], int64(r.layout.offset+off)); err != nil {
		if errors.Is(err, unix.EIO) { // it does not decode its addresses
			return 1<<(8*width) - 1, nil
		}
		return 0, &Error{Op: "read a register of", Device: r.name(), Err: withoutPath(err)}
	}
	return binary.LittleEndian.Uint32(b[:]), nil
}

// write writes a register of width bytes in one access.
func (r *region) write(off uint64, width int, v uint32) error {
	if err := pci.CheckAccess(r.bar, off, width, r.layout.size); err != nil {
		return err
	}
	if register := r.mapped(off, width); register != nil {
		store(register, v)
		return nil
	}
	return r.pwrite(off, width, v)
}

func (r *region) name() string { return fmt.Sprintf("BAR %d", r.bar) }

// pwrite writes a register by a system call.
func (r *region) pwrite(off uint64, width int, v uint32) error {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], v)
	if _, err := r.file.WriteAt(b[:width], int64(r.layout.offset+off)); err != nil &&
		!errors.Is(err, unix.EIO) {
		return &Error{Op: "write a register of", Device: r.name(), Err: withoutPath(err)}
	}
	return nil
}

// mappedDoorbell is a register in mapped memory.
type mappedDoorbell struct{ register []byte }

// Ring stores v. It does nothing if the function was removed.
func (d *mappedDoorbell) Ring(v uint32) { store(d.register, v) }

// syscallDoorbell is a register that is written by a system call.
type syscallDoorbell struct {
	region *region
	off    uint64
	width  int
}

// Ring stores v. The system call orders it behind every earlier store. It fails only if the
// function was removed, which the owner of the function detects by other means.
func (d *syscallDoorbell) Ring(v uint32) { _ = d.region.pwrite(d.off, d.width, v) }
