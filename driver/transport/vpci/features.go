package vpci

import (
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// featureWindows is how many groups of 32 feature bits there are. A device with
// fewer reads as 0 in the rest.
const featureWindows = 4

// DeviceFeatures implements transport.Transport. Features whose register the
// device's common configuration is too short for are left out.
func (d *Device) DeviceFeatures() (virtio.Features, error) {
	var f virtio.Features
	for i := range featureWindows {
		if err := d.write32(regDeviceFeatureSelect, uint32(i)); err != nil {
			return virtio.Features{}, err
		}
		bits, err := d.read32(regDeviceFeature)
		if err != nil {
			return virtio.Features{}, err
		}
		f = f.WithWindow(i, bits)
	}
	if lacking := f.And(d.withoutRegister()); !lacking.Empty() {
		d.log.Warn("the device offers features whose register it does not have",
			"function", d.Name(), "features", lacking.Names(), "common_length", d.regs.common.size)
		f = f.Minus(lacking)
	}
	return f, nil
}

// SetDriverFeatures implements transport.Transport. All windows are written,
// so that no bit of an earlier driver stays set.
func (d *Device) SetDriverFeatures(f virtio.Features) error {
	for i := range featureWindows {
		if err := d.write32(regDriverFeatureSelect, uint32(i)); err != nil {
			return err
		}
		if err := d.write32(regDriverFeature, f.Window(i)); err != nil {
			return err
		}
	}
	d.accepted = f
	return nil
}

// withoutRegister returns the features that need a register at the end of the
// common configuration which this device does not have.
func (d *Device) withoutRegister() virtio.Features {
	var f virtio.Features
	if !d.regs.common.covers(regQueueNotifyData, 2) {
		f = f.With(virtio.NotifConfigData)
	}
	if !d.regs.common.covers(regQueueReset, 2) {
		f = f.With(virtio.RingReset)
	}
	return f
}

// CheckFeatures implements transport.Transport.
//
// Without ACCESS_PLATFORM the device bypasses the IOMMU and uses physical
// addresses, so that it cannot be used behind one. Without an IOMMU device and
// physical addresses are the same (6.1), with ACCESS_PLATFORM or without.
func (d *Device) CheckFeatures(f virtio.Features) error {
	refused := &transport.FeatureError{Device: d.Name()}
	switch {
	case !f.Has(virtio.Version1):
		refused.Missing = virtio.FeatureSet(virtio.Version1)
		refused.Reason = "only devices of virtio 1.0 and later are supported"
		refused.Remedy = "start the device as a modern one (QEMU: disable-legacy=on)"
	case !f.Has(virtio.AccessPlatform) && !d.fn.DMA().Physical:
		refused.Missing = virtio.FeatureSet(virtio.AccessPlatform)
		refused.Reason = "the function is behind an IOMMU, and without this feature the device would take " +
			"the addresses it is given for physical ones and write to memory that is not the driver's"
		refused.Remedy = "start the device with iommu_platform=on (QEMU), or use VFIO without IOMMU (noiommu)"
	case !f.And(d.withoutRegister()).Empty():
		refused.Unusable = f.And(d.withoutRegister())
		refused.Reason = "the device does not have the register that belongs to it"
	case !f.And(unimplemented).Empty():
		refused.Unusable = f.And(unimplemented)
		refused.Reason = "this transport does not support it"
	default:
		return nil
	}
	return refused
}

// unimplemented are features that this transport does not implement: virtual
// functions and administration virtqueues belong to other programs.
var unimplemented = virtio.FeatureSet(virtio.SRIOV, virtio.AdminVQ)
