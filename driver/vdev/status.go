package vdev

import "github.com/virtio-pmd/virtio-pmd/driver/virtio"

// resetState follows a reset from the write of 0 to the read of 0.
type resetState struct {
	wanted bool // no reset was asked for since the device was made
	asked  bool // 0 was written and has not been read back yet
	left   int  // reads until it completes; -1: never
}

// driverBits are the status bits that a driver may set (2.1).
const driverBits = virtio.StatusAcknowledge | virtio.StatusDriver | virtio.StatusDriverOK | virtio.StatusFeaturesOK |
	virtio.StatusFailed

// Status reads the device status (2.1).
func (d *Device) Status() virtio.Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.reset.asked && d.reset.left != 0 {
		if d.reset.left > 0 {
			d.reset.left--
		}
		return d.statusInReset()
	}
	if d.reset.asked {
		d.clear()
	}
	return d.status
}

// statusInReset returns the status while a reset is in progress: the old one, but
// not 0, which would say that the reset is complete.
func (d *Device) statusInReset() virtio.Status {
	if d.status == 0 {
		return virtio.StatusFailed
	}
	return d.status
}

// SetStatus writes the device status. The bits have to be set one step at a
// time and in the order of 3.1.1; a write that breaks a rule changes nothing.
func (d *Device) SetStatus(s virtio.Status) {
	d.mu.Lock()
	if s == 0 {
		d.beginReset()
	} else if d.statusAllowed(s) {
		d.step(s)
	}
	live := d.running
	d.mu.Unlock()
	if live {
		d.wake()
	}
}

// beginReset starts a reset, which completes at once without Faults.ResetReads.
func (d *Device) beginReset() {
	d.reset = resetState{asked: true, left: d.faults.ResetReads}
	if d.reset.left == 0 {
		d.clear()
		d.reset.asked = true
	}
}

// clear puts the device into the state after a reset. d.mu is held, or no other
// goroutine has d yet.
func (d *Device) clear() {
	d.status, d.negotiated = 0, false
	d.active, d.transmitting, d.pairsSet = 1, 1, false
	d.hash, d.rss, d.coalDefault = hashing{}, rss{}, [2]Coalescing{}
	d.ctrl = controlState{data: d.ctrl.data}
	d.stopAnnouncing()
	copy(d.net.bytes[virtio.NetConfigMAC:], d.net.mac[:])
	d.reset.asked = false
	d.halt()
	d.stopQueues()
	d.setReceiveOffloads(virtio.Features{})
	for i := range d.queues {
		d.clearQueue(i)
	}
}

// halt stops all rings. Only a reset starts them again.
func (d *Device) halt() {
	d.running = false
	d.doorbell.Store(0)
}

// Reset resets the device at once, as a reset of the PCI function does.
func (d *Device) Reset() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clear()
	d.reset = resetState{}
}

// statusAllowed checks a write of s, which is not 0.
func (d *Device) statusAllowed(s virtio.Status) bool {
	old := d.status & driverBits
	added := s & driverBits &^ old
	switch {
	case d.reset.asked:
		d.violate("pci/common/5", -1, "status %v written before the reset was seen to be over", s)
		return false
	case d.reset.wanted:
		d.violate("basic/init/1", -1, "status %v written before the device was reset", s)
		d.reset.wanted = false
		return d.statusAllowed(s)
	case old&^s != 0:
		d.violate("basic/status/2", -1, "status went from %v to %v: only a reset may take bits away", d.status, s)
		return false
	case s&^(driverBits|d.status) != 0:
		d.violate("basic/status/1", -1, "status %#02x has bits that are not the driver's", uint8(s))
		return false
	case old.Has(virtio.StatusFailed) && added != 0:
		d.violate("basic/status/3", -1, "status went from %v to %v without a reset after FAILED", d.status, s)
		return false
	case added&(added-1) != 0:
		d.violate("basic/init/1", -1, "status went from %v to %v: that is several steps at once", d.status, s)
	}
	return d.orderKept(old, added)
}

// orderKept reports whether each bit that is added follows its predecessor (3.1.1).
func (d *Device) orderKept(old, added virtio.Status) bool {
	sequence := []virtio.Status{virtio.StatusAcknowledge, virtio.StatusDriver, virtio.StatusFeaturesOK, virtio.StatusDriverOK}
	have := old | added
	for i, bit := range sequence[1:] {
		if added.Has(bit) && !have.Has(sequence[i]) {
			d.violate("basic/init/1", -1, "%v set without %v before", bit, sequence[i])
			return false
		}
	}
	return true
}

// step sets a status that statusAllowed has checked.
func (d *Device) step(s virtio.Status) {
	added := s &^ d.status & driverBits
	if added.Has(virtio.StatusFeaturesOK) && !d.featuresOK() {
		s &^= virtio.StatusFeaturesOK | virtio.StatusDriverOK
		added &= s
	}
	d.status |= s & driverBits
	if added.Has(virtio.StatusFailed) {
		d.halt()
		return
	}
	if added.Has(virtio.StatusDriverOK) {
		d.begin()
	}
}

// begin starts the rings on DRIVER_OK.
func (d *Device) begin() {
	if d.cfg.Translated && !d.accepted.Has(virtio.AccessPlatform) {
		d.fail("basic/reserved/5", -1, "DRIVER_OK without ACCESS_PLATFORM, although an IOMMU translates the device's addresses")
		return
	}
	d.running, d.armed = true, true
	d.setReceiveOffloads(d.accepted)
	d.filter.reset(d.accepted, d.net.mac, !d.cfg.Filter)
	for i := range d.registers {
		if d.registers[i].enabled && !d.startQueue(i) {
			return
		}
	}
	d.checkEarly()
	d.doorbell.Store(doorbellState(d.accepted))
	d.log.Debug("device runs", "features", d.accepted.String())
}

func (d *Device) failed(Violation) { d.needsReset() }

// needsReset sets DEVICE_NEEDS_RESET and stops the rings. A driver that had
// set DRIVER_OK gets a configuration interrupt (2.1.2). d.mu is held.
func (d *Device) needsReset() {
	if d.status.Has(virtio.StatusNeedsReset) {
		return
	}
	d.status |= virtio.StatusNeedsReset
	d.halt()
	if d.status.Has(virtio.StatusDriverOK) {
		d.irq.Config()
	}
}

// NeedReset sets DEVICE_NEEDS_RESET, as if the device had met an error.
func (d *Device) NeedReset() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.needsReset()
}

// Dead reports whether a failure or FAILED stopped the rings, so that doorbells
// have no meaning until a reset.
func (d *Device) Dead() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.status&(virtio.StatusNeedsReset|virtio.StatusFailed) != 0
}
