package pcifn

import (
	"fmt"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// region is the registers in a BAR. It implements [pci.Region].
type region struct {
	f    *Function
	bar  int
	size uint64
}

// Region returns the registers in a BAR.
func (f *Function) Region(bar int) (pci.Region, error) {
	if err := f.checkOpen(); err != nil {
		return nil, err
	}
	if bar < 0 || bar >= len(f.bars) || f.bars[bar].size == 0 {
		return nil, &pci.Error{Device: f.cfg.Address, Field: fmt.Sprintf("BAR %d", bar),
			Reason: "the function has no such BAR"}
	}
	return &region{f: f, bar: bar, size: f.bars[bar].size}, nil
}

// Size is the length of the BAR in bytes.
func (r *region) Size() uint64 { return r.size }

// Read8 reads a register of 8 bits.
func (r *region) Read8(off uint64) (uint8, error) {
	v, err := r.read(off, 1)
	return uint8(v), err
}

// Read16 reads a register of 16 bits.
func (r *region) Read16(off uint64) (uint16, error) {
	v, err := r.read(off, 2)
	return uint16(v), err
}

// Read32 reads a register of 32 bits.
func (r *region) Read32(off uint64) (uint32, error) { return r.read(off, 4) }

// Write8 writes a register of 8 bits.
func (r *region) Write8(off uint64, v uint8) error { return r.write(off, 1, uint32(v)) }

// Write16 writes a register of 16 bits.
func (r *region) Write16(off uint64, v uint16) error { return r.write(off, 2, uint32(v)) }

// Write32 writes a register of 32 bits.
func (r *region) Write32(off uint64, v uint32) error { return r.write(off, 4, v) }

func (r *region) check(off uint64, width int) error {
	if err := r.f.checkPresent(); err != nil {
		return err
	}
	return pci.CheckAccess(r.bar, off, width, r.size)
}

func (r *region) read(off uint64, width int) (uint32, error) {
	if err := r.check(off, width); err != nil {
		return 0, err
	}
	return r.f.read(r.bar, off, width), nil
}

func (r *region) write(off uint64, width int, v uint32) error {
	if err := r.check(off, width); err != nil {
		return err
	}
	r.f.write(r.bar, off, width, v)
	return nil
}

// Doorbell returns a register that is written often.
func (r *region) Doorbell(off uint64, width int) (interface{ Ring(v uint32) }, error) {
	if err := r.f.checkOpen(); err != nil {
		return nil, err
	}
	if err := pci.CheckDoorbell(r.bar, off, width, r.size); err != nil {
		return nil, err
	}
	return &doorbell{f: r.f, bar: r.bar, off: off, width: width}, nil
}

// doorbell is one register.
type doorbell struct {
	f     *Function
	bar   int
	off   uint64
	width int
}

// Ring writes the register.
func (b *doorbell) Ring(v uint32) {
	if !b.f.closed.Load() {
		b.f.write(b.bar, b.off, b.width, v&allOnes(b.width))
	}
}

// read reads a register at an offset inside the BAR.
func (f *Function) read(bar int, off uint64, width int) uint32 {
	v, name := allOnes(width), ""
	if !f.removed.Load() {
		v, name = f.readRegister(bar, off, width)
		if hook := f.hooks.Load().Read; hook != nil {
			v = hook(bar, off, width, v) & allOnes(width)
		}
	}
	f.log.add(Access{BAR: bar, Offset: off, Width: width, Value: v, Register: name})
	return v
}

func (f *Function) write(bar int, off uint64, width int, v uint32) {
	s := f.find(bar, off, width)
	if f.log.on {
		f.log.add(Access{BAR: bar, Offset: off, Width: width, Value: v, Write: true, Register: f.name(s, off)})
	}
	if f.removed.Load() {
		return
	}
	if hook := f.hooks.Load().Write; hook != nil {
		var pass bool
		if v, pass = hook(bar, off, width, v); !pass {
			return
		}
	}
	f.writeRegister(s, off, width, v)
}

// name returns the name of the register that begins at off.
func (f *Function) name(s *structure, off uint64) string {
	if s == nil {
		return ""
	}
	switch s.kind {
	case common:
		if r := commonAt(off - s.off); r != nil {
			return r.name
		}
	case notify:
		return "notify"
	case isr:
		return "ISR"
	case deviceConfig:
		return "config"
	case msix:
		return "MSI-X"
	}
	return ""
}

func (f *Function) readRegister(bar int, off uint64, width int) (uint32, string) {
	s := f.find(bar, off, width)
	if s == nil {
		f.dev.Violate("pci/access/1", -1, "BAR %d read at %#x with %d bytes, where no register is", bar, off, width)
		return 0, ""
	}
	switch s.kind {
	case common:
		return f.readCommon(off-s.off, width), f.name(s, off)
	case isr:
		return f.readISR(), f.name(s, off)
	case deviceConfig:
		return f.dev.ReadConfig(int(off-s.off), width), f.name(s, off)
	}
	return 0, f.name(s, off)
}

func (f *Function) writeRegister(s *structure, off uint64, width int, v uint32) {
	if s == nil {
		f.dev.Violate("pci/access/1", -1, "BAR written at %#x with %d bytes, where no register is", off, width)
		return
	}
	switch s.kind {
	case common:
		f.writeCommon(off-s.off, width, v)
	case notify:
		f.writeDoorbell(s, off-s.off, width, v)
	case isr:
		f.dev.Violate("pci/access/1", -1, "ISR status written")
	case deviceConfig:
		f.dev.WriteConfig(int(off-s.off), width, v)
	}
}
