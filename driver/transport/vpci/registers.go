package vpci

import (
	"fmt"
	"os"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/pci"
)

// The accessors below are the only way to the common configuration structure.
// Each makes one access of the width in its name, and checks on all ones whether the
// device is still there.

func (d *Device) read8(off uint64) (v uint8, err error) {
	err = d.access(d.regs.common, func(r pci.Region, base uint64) error {
		v, err = r.Read8(base + off)
		return err
	})
	return v, d.checkPresent(v == 0xff, err)
}

func (d *Device) read16(off uint64) (v uint16, err error) {
	err = d.access(d.regs.common, func(r pci.Region, base uint64) error {
		v, err = r.Read16(base + off)
		return err
	})
	return v, d.checkPresent(v == 0xffff, err)
}

func (d *Device) read32(off uint64) (v uint32, err error) {
	err = d.access(d.regs.common, func(r pci.Region, base uint64) error {
		v, err = r.Read32(base + off)
		return err
	})
	return v, d.checkPresent(v == 0xffffffff, err)
}

func (d *Device) write8(off uint64, v uint8) error {
	return d.access(d.regs.common, func(r pci.Region,
		base uint64) error {
		return r.Write8(base+off, v)
	})
}

func (d *Device) write16(off uint64, v uint16) error {
	return d.access(d.regs.common, func(r pci.Region,
		base uint64) error {
		return r.Write16(base+off, v)
	})
}

func (d *Device) write32(off uint64, v uint32) error {
	return d.access(d.regs.common, func(r pci.Region,
		base uint64) error {
		return r.Write32(base+off, v)
	})
}

// write64 writes a register of 64 bits the way such registers are accessed: as
// two of 32, the lower half first (4.1.3.1).
func (d *Device) write64(off, v uint64) error {
	if err := d.write32(off, uint32(v)); err != nil {
		return err
	}
	return d.write32(off+4, uint32(v>>32))
}

// access runs op, one register access of a structure.
func (d *Device) access(s *structure, op func(r pci.Region, base uint64) error) error {
	if d.closed {
		return fmt.Errorf("%s: %w", d.Name(), os.ErrClosed)
	}
	err := op(s.region, s.base())
	if err != nil && absent(d.fn) {
		return &transport.Error{Device: d.Name(), Err: fmt.Errorf("%w: %w", transport.ErrRemoved,
			err)}
	}
	if err != nil {
		return fmt.Errorf("%s: %s structure: %w", d.Name(), s.kind, err)
	}
	return nil
}

// checkPresent returns err, or ErrRemoved if a register read as all ones and the
// function has left the bus.
func (d *Device) checkPresent(ones bool, err error) error {
	if err == nil && ones && absent(d.fn) {
		return removedError(d.Name())
	}
	return err
}

// absent reports whether a function has left the bus. All ones in a register can
// be a value; in revision and class they cannot. The identifiers do
// not show it: VFIO returns them from a copy of its own.
func absent(fn pci.Function) bool {
	v, err := fn.ReadConfig(pci.RegRevisionID, 4)
	return err != nil || v == 0xffffffff
}

// removedError is the error of a device of which every register reads as all ones.
func removedError(device string) error {
	return &transport.Error{Device: device, Err: transport.ErrRemoved,
		Reason: "every register reads as all ones, so that it was unplugged or has failed"}
}
