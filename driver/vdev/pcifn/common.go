package pcifn

import (
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// register is one field of the common configuration (4.1.4.3). A field of 64
// bits is two registers of 32.
type register struct {
	off   uint64
	width int
	name  string
	read  func(*Function) uint32
	write func(*Function, uint32) // nil: read-only
}

// registers are the fields of the common configuration that are not in the device.
// f.mu guards them.
type registers struct {
	deviceSelect, driverSelect uint32
	queueSelect                uint16
	accepted                   virtio.Features
}

func (r *registers) clear() { *r = registers{} }

// resetRegisters sets the registers to their state after a reset. f.mu is held.
func (f *Function) resetRegisters() {
	f.regs.clear()
	f.irq.clearVectors()
}

// commonAt returns the register that begins at off, nil if none does.
func commonAt(off uint64) *register {
	for i := range commonRegisters {
		if commonRegisters[i].off == off {
			return &commonRegisters[i]
		}
	}
	return nil
}

var commonRegisters = [...]register{
	{0x00, 4, "device_feature_select",
		func(f *Function) uint32 { return f.regs.deviceSelect },
		func(f *Function, v uint32) { f.regs.deviceSelect = v }},
	{0x04, 4, "device_feature", (*Function).deviceFeature, nil},
	{0x08, 4, "driver_feature_select",
		func(f *Function) uint32 { return f.regs.driverSelect },
		func(f *Function, v uint32) { f.regs.driverSelect = v }},
	{0x0c, 4, "driver_feature", (*Function).driverFeature, (*Function).setDriverFeature},
	{0x10, 2, "config_msix_vector",
		func(f *Function) uint32 { return uint32(f.irq.configVector()) },
		func(f *Function, v uint32) { f.irq.setConfigVector(f.vector(-1, v)) }},
	{0x12, 2, "num_queues", func(f *Function) uint32 { return uint32(f.dev.Queues()) }, nil},
	{0x14, 1, "device_status",
		func(f *Function) uint32 { return uint32(f.dev.Status()) }, (*Function).setStatus},
	{0x15, 1, "config_generation", func(f *Function) uint32 { return uint32(f.dev.Generation()) }, nil},
	{0x16, 2, "queue_select",
		func(f *Function) uint32 { return uint32(f.regs.queueSelect) },
		func(f *Function, v uint32) { f.regs.queueSelect = uint16(v) }},
	{0x18, 2, "queue_size",
		func(f *Function) uint32 { return uint32(f.dev.QueueSize(f.selected())) },
		func(f *Function, v uint32) { f.dev.SetQueueSize(f.selected(), int(v)) }},
	{0x1a, 2, "queue_msix_vector",
		func(f *Function) uint32 { return uint32(f.irq.queueVector(f.selected())) }, (*Function).setQueueVector},
	{0x1c, 2, "queue_enable", (*Function).queueEnable,
		func(f *Function, v uint32) { f.dev.SetQueueEnabled(f.selected(), uint16(v)) }},
	{0x1e, 2, "queue_notify_off",
		func(f *Function) uint32 { return uint32(f.notifyOff(f.selected())) }, nil},
	{0x20, 4, "queue_desc (low)", addressLow(vdev.DescArea), setAddressLow(vdev.DescArea)},
	{0x24, 4, "queue_desc (high)", addressHigh(vdev.DescArea), setAddressHigh(vdev.DescArea)},
	{0x28, 4, "queue_driver (low)", addressLow(vdev.DriverArea), setAddressLow(vdev.DriverArea)},
	{0x2c, 4, "queue_driver (high)", addressHigh(vdev.DriverArea), setAddressHigh(vdev.DriverArea)},
	{0x30, 4, "queue_device (low)", addressLow(vdev.DeviceArea), setAddressLow(vdev.DeviceArea)},
	{0x34, 4, "queue_device (high)", addressHigh(vdev.DeviceArea), setAddressHigh(vdev.DeviceArea)},
	{0x38, 2, "queue_notif_config_data",
		func(f *Function) uint32 { return uint32(notifyData(f.selected())) }, nil},
	{0x3a, 2, "queue_reset", (*Function).queueReset, (*Function).setQueueReset},
	{0x3c, 2, "admin_queue_index", func(*Function) uint32 { return 0 }, nil},
	{0x3e, 2, "admin_queue_num", func(*Function) uint32 { return 0 }, nil},
}

// readCommon reads the common configuration. An access that is not of exactly
// one register reads as 0.
func (f *Function) readCommon(off uint64, width int) uint32 {
	r := commonAt(off)
	if r == nil || r.width != width {
		f.dev.Violate("pci/access/1", -1, "common configuration at %#02x read with %d bytes", off, width)
		return 0
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return r.read(f)
}

// writeCommon writes the common configuration. An access that is not of exactly
// one register, or of a read-only one, changes nothing.
func (f *Function) writeCommon(off uint64, width int, v uint32) {
	r := commonAt(off)
	if r == nil || r.width != width {
		f.dev.Violate("pci/access/1", -1, "common configuration at %#02x written with %d bytes", off, width)
		return
	}
	if r.write == nil {
		f.dev.Violate("pci/common/1", -1, "%s written, which is read-only", r.name)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	r.write(f, v)
}

func (f *Function) selected() int { return int(f.regs.queueSelect) }

func (f *Function) deviceFeature() uint32 {
	if f.regs.deviceSelect > 3 {
		return 0
	}
	return f.dev.Offered().Window(int(f.regs.deviceSelect))
}

func (f *Function) driverFeature() uint32 {
	if f.regs.driverSelect > 3 {
		return 0
	}
	return f.regs.accepted.Window(int(f.regs.driverSelect))
}

func (f *Function) setDriverFeature(v uint32) {
	if f.regs.driverSelect > 3 {
		if v != 0 {
			f.dev.Violate("basic/features/1", -1, "features %#x accepted in window %d", v, f.regs.driverSelect)
		}
		return
	}
	f.regs.accepted = f.regs.accepted.WithWindow(int(f.regs.driverSelect), v)
	f.dev.SetAccepted(f.regs.accepted)
}

func (f *Function) setStatus(v uint32) {
	if v == 0 {
		f.resetRegisters()
	}
	f.dev.SetStatus(virtio.Status(v))
}

func (f *Function) queueEnable() uint32 {
	if f.dev.QueueEnabled(f.selected()) {
		return 1
	}
	return 0
}

func (f *Function) setQueueVector(v uint32) {
	q := f.selected()
	f.irq.setQueueVector(q, f.vector(q, v))
}

// vector returns what a vector register reads as after v was written (4.1.5.1.2).
func (f *Function) vector(q int, v uint32) uint16 {
	switch n := uint16(v); {
	case n == virtio.NoVector:
	case int(n) >= f.cfg.Vectors:
		f.dev.Violate("pci/msix/2", q, "vector %d mapped, but the table has %d", n, f.cfg.Vectors)
	case f.cfg.RefuseVector == nil || !f.cfg.RefuseVector(n):
		return n
	}
	return virtio.NoVector
}

func (f *Function) queueReset() uint32 {
	if f.dev.QueueInReset(f.selected()) {
		return 1
	}
	return 0
}

func (f *Function) setQueueReset(v uint32) {
	if v != 1 {
		f.dev.Violate("basic/vqreset/1", f.selected(), "queue_reset written as %d", v)
		return
	}
	if f.dev.ResetQueue(f.selected()) {
		f.irq.setQueueVector(f.selected(), virtio.NoVector)
	}
}

const low, high = 0xffff_ffff, 0xffff_ffff << 32

func addressLow(a vdev.Area) func(*Function) uint32 {
	return func(f *Function) uint32 { return uint32(f.dev.QueueAddress(f.selected(), a)) }
}

func addressHigh(a vdev.Area) func(*Function) uint32 {
	return func(f *Function) uint32 { return uint32(f.dev.QueueAddress(f.selected(), a) >> 32) }
}

func setAddressLow(a vdev.Area) func(*Function, uint32) {
	return func(f *Function, v uint32) { f.dev.SetQueueAddress(f.selected(), a, low, uint64(v)) }
}

func setAddressHigh(a vdev.Area) func(*Function, uint32) {
	return func(f *Function, v uint32) { f.dev.SetQueueAddress(f.selected(), a, high, uint64(v)<<32) }
}
