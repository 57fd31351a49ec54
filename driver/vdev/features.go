package vdev

import "github.com/virtio-pmd/virtio-pmd/driver/virtio"

// Accepted returns the features that the driver wrote. They are final once the
// status has FEATURES_OK.
func (d *Device) Accepted() virtio.Features {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.accepted
}

// SetAccepted writes the features that the driver accepts.
func (d *Device) SetAccepted(f virtio.Features) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.negotiated {
		d.violate("basic/init/3", -1, "features written after FEATURES_OK")
		return
	}
	if !d.status.Has(virtio.StatusDriver) {
		d.violate("basic/init/1", -1, "features written while the status is %v: DRIVER comes first", d.status)
	}
	d.accepted = f
}

// featuresOK decides whether FEATURES_OK stays set (2.2.2).
func (d *Device) featuresOK() bool {
	ok := !d.faults.RefuseFeatures
	if extra := d.accepted.Minus(d.cfg.Offer); !extra.Empty() {
		d.violate("basic/features/1", -1, "accepted without being offered: %v", extra)
		ok = false
	}
	if unimplemented := d.accepted.And(d.cfg.Offer).Minus(Implemented()); !unimplemented.Empty() {
		d.violate(unimplementedRule(unimplemented), -1, "accepted although the driver cannot use it here: %v", unimplemented)
		ok = false
	}
	if alone := d.accepted.Minus(d.accepted.Closure()); !alone.Empty() {
		d.violate("basic/features/2", -1, "accepted without what it requires: %v", alone)
		ok = false
	}
	if d.cfg.Offer.Has(virtio.Version1) && !d.accepted.Has(virtio.Version1) {
		d.violate("basic/reserved/1", -1, "VERSION_1 was offered and not accepted")
		ok = false
	}
	// A device behind an IOMMU could not work without it, so it may refuse (6.2).
	if d.cfg.Translated && d.cfg.Offer.Has(virtio.AccessPlatform) && !d.accepted.Has(virtio.AccessPlatform) {
		d.violate("basic/reserved/3", -1, "ACCESS_PLATFORM was offered and not accepted")
		ok = false
	}
	d.negotiated = ok
	return ok
}

// unimplementedRule returns the rule that accepting bits breaks which the device
// does not implement: those that the specification reserves for other devices have
// rules of their own.
func unimplementedRule(unimplemented virtio.Features) string {
	for _, f := range unimplemented.List() {
		if f == virtio.SRIOV {
			return "basic/reserved/9"
		}
		if f == virtio.AdminVQ {
			return "pci/common/9"
		}
	}
	return "basic/features/5"
}

// Bits of Device.doorbell.
const (
	doorbellLive   = 1
	doorbellData   = 2
	doorbellConfig = 4
)

func doorbellState(f virtio.Features) uint32 {
	state := uint32(doorbellLive)
	if f.Has(virtio.NotificationData) {
		state |= doorbellData
	}
	if f.Has(virtio.NotifConfigData) {
		state |= doorbellConfig
	}
	return state
}

// DoorbellForm is the format of a write to a doorbell (4.1.5.2).
type DoorbellForm struct {
	// Live is true from DRIVER_OK on; before it, no doorbell may be rung.
	Live bool
	// Data is true with NOTIFICATION_DATA: 32 bits, the upper 16 of which are the
	// position of the driver.
	Data bool
	// ConfigData is true with NOTIF_CONFIG_DATA: the lower 16 bits are a value that
	// the device chose and not the number of the queue.
	ConfigData bool
}

// DoorbellForm returns the format of the next doorbell. It takes no lock.
func (d *Device) DoorbellForm() DoorbellForm {
	state := d.doorbell.Load()
	return DoorbellForm{Live: state&doorbellLive != 0, Data: state&doorbellData != 0, ConfigData: state&doorbellConfig != 0}
}
