package vfio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// region is the registers behind one BAR. What can be mapped is mapped; the
// rest, and all of an I/O BAR, is reached by calls on the device's file.
//
// Once the function has gone, or no longer decodes its addresses, reading
// yields all ones and writing does nothing, as on the bus itself.
type region struct {
	bar     int
	file    *os.File
	layout  regionLayout
	windows []window
}

// window is a mapped part of a BAR, from offset first on.
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
	return &pci.Error{Device: f.address, Field: fmt.Sprintf("BAR %d", bar), Reason: "the function has no such BAR"}
}

// layout asks the kernel about a BAR.
func (f *Function) layout(bar int) (regionLayout, error) {
	reply, err := query(f.device, getRegionInfo, &regionInfo{Index: uint32(bar)})
	if err != nil {
		return regionLayout{}, err
	}
	return parseRegionInfo(reply, f.vectorTable(bar), uint64(os.Getpagesize()))
}

// vectorTable returns where the MSI-X table lies in a BAR, nowhere if it does
// not, or if the device's capabilities make no sense: the caller of the
// function will find that out, and mapping is tried before it is relied upon.
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

// mapRegion maps what can be mapped of a BAR. What cannot works all the same,
// only slower.
func (f *Function) mapRegion(bar int, layout regionLayout) *region {
	r := &region{bar: bar, file: f.device, layout: layout}
	for _, area := range layout.areas {
		data, err := unix.Mmap(int(f.device.Fd()), int64(layout.offset+area.Offset), int(area.Size),
			unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err != nil {
			f.log.Warn("registers cannot be mapped and are reached by system calls",
				"function", f.address, "bar", bar, "offset", area.Offset, "size", area.Size, "error", err)
			continue
		}
		r.windows = append(r.windows, window{first: area.Offset, data: data})
	}
	return r
}

// unmap takes the mappings back.
func (r *region) unmap() error {
	var errs []error
	for _, w := range r.windows {
		errs = append(errs, unix.Munmap(w.data))
	}
	r.windows = nil
	return errors.Join(errs...)
}

// Size is the length of the BAR in bytes.
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

// Doorbell returns one register for being written again and again.
func (r *region) Doorbell(off uint64, width int) (interface{ Ring(v uint32) }, error) {
	if err := pci.CheckDoorbell(r.bar, off, width, r.layout.size); err != nil {
		return nil, err
	}
	if register := r.mapped(off, width); register != nil {
		return &mappedDoorbell{register: register}, nil
	}
	return &calledDoorbell{region: r, off: off, width: width}, nil
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
		return 0, &CallError{Call: "read of a register", Err: cause(err)}
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
	return r.call(off, width, v)
}

// call writes a register by a system call.
func (r *region) call(off uint64, width int, v uint32) error {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], v)
	if _, err := r.file.WriteAt(b[:width], int64(r.layout.offset+off)); err != nil && !errors.Is(err, unix.EIO) {
		return &CallError{Call: "write of a register", Err: cause(err)}
	}
	return nil
}

// mappedDoorbell is a register in mapped memory.
type mappedDoorbell struct{ register []byte }

// Ring stores v. A function that has gone does not hear it.
func (d *mappedDoorbell) Ring(v uint32) { store(d.register, v) }

// calledDoorbell is a register that takes a system call.
type calledDoorbell struct {
	region *region
	off    uint64
	width  int
}

// Ring stores v. A system call orders it behind every store before. What goes
// wrong is what goes wrong with a function that has gone: nobody hears it, and
// the owner learns of it by other means.
func (d *calledDoorbell) Ring(v uint32) { _ = d.region.call(d.off, d.width, v) }
