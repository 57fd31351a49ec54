package vpci

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/pci"
)

// configTries bounds how often configuration that changes all the time is read.
const configTries = 16

// ReadConfig implements transport.Transport. A part that the device does not
// have, or that changes each of the 16 times it is read, is a
// [*transport.Error] and leaves b as it was.
func (d *Device) ReadConfig(off, width int, b []byte) error {
	size := 0
	if d.regs.device != nil {
		size = int(min(d.regs.device.size, uint64(^uint32(0))))
	}
	refused := &transport.Error{Device: d.Name(),
		Op: fmt.Sprintf("reading %d bytes of device configuration at %#x in accesses of %d",
			len(b), off, width),
		Remedy: "refuse the feature that this belongs to, or update what provides the device"}
	switch {
	case width != 1 && width != 2 && width != 4 || off < 0 || off%width != 0 || len(b)%width != 0:
		refused.Reason = "this is not an aligned access of 1, 2 or 4 bytes"
		return refused
	case d.regs.device == nil:
		refused.Reason = "the device has no device configuration"
		return refused
	case off > size || len(b) > size-off:
		refused.Reason = fmt.Sprintf("the device configuration has %d bytes only", size)
		return refused
	}
	stable := make([]byte, len(b))
	for range configTries {
		same, err := d.readGeneration(off, width, stable)
		if err != nil {
			return err
		}
		if same {
			copy(b, stable)
			return nil
		}
	}
	refused.Reason = fmt.Sprintf("config_generation changed each of the %d times that it was read",
		configTries)
	refused.Remedy = "try again, and if it stays so restart or update what provides the device"
	return refused
}

// readGeneration reads configuration once and reports whether config_generation
// stayed the same meanwhile (2.5.1, 4.1.4.3.1).
func (d *Device) readGeneration(off, width int, b []byte) (same bool, err error) {
	before, err := d.read8(regConfigGeneration)
	if err != nil {
		return false, err
	}
	for i := 0; i < len(b); i += width {
		if err := d.readConfig(uint64(off+i), b[i:i+width]); err != nil {
			return false, err
		}
	}
	after, err := d.read8(regConfigGeneration)
	return before == after, err
}

// readConfig reads one field into b with one access of its width.
func (d *Device) readConfig(off uint64, b []byte) error {
	err := d.access(d.regs.device, func(r pci.Region, base uint64) error {
		switch len(b) {
		case 1:
			v, err := r.Read8(base + off)
			b[0] = v
			return err
		case 2:
			v, err := r.Read16(base + off)
			binary.LittleEndian.PutUint16(b, v)
			return err
		}
		v, err := r.Read32(base + off)
		binary.LittleEndian.PutUint32(b, v)
		return err
	})
	ones := !slices.ContainsFunc(b, func(v byte) bool { return v != 0xff })
	return d.checkPresent(ones, err)
}
