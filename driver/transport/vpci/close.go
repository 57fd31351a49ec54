package vpci

import (
	"errors"
	"fmt"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/pci"
)

// Close implements transport.Transport. Bus mastering is disabled first. If queues
// are still enabled, because Reset failed or was not called, and bus mastering
// cannot be disabled, the whole function is reset; if that fails too, the error is
// a [*transport.StopError].
func (d *Device) Close() error {
	if d.closed {
		return d.closeErr
	}
	errs := []error{d.stop(), d.closeInterrupts()}
	d.closed = true
	errs = append(errs, d.fn.Close())
	d.closeErr = errors.Join(errs...)
	d.log.Info("virtio device closed", "function", d.Name(), "error", d.closeErr)
	return d.closeErr
}

// stop makes sure that the device does not access memory any more.
func (d *Device) stop() error {
	failed := d.stopDMA()
	if failed == nil || !d.mayDMA || absent(d.fn) {
		// A device that is not on the bus does no DMA; one without queues has
		// no address to do it to.
		d.mayDMA = false
		return nil
	}
	if err := d.fn.Reset(); err != nil {
		return &transport.StopError{Device: d.Name(), Err: errors.Join(failed, err),
			Reason: "it did not confirm a reset, its DMA cannot be turned off, and the function cannot be reset"}
	}
	d.mayDMA = false
	return nil
}

// stopDMA disables bus mastering and reads back that it is.
func (d *Device) stopDMA() error {
	if _, err := pci.UpdateCommand(d.fn, 0, pci.CommandBusMaster); err != nil {
		return fmt.Errorf("writing the PCI command register: %w", err)
	}
	command, err := d.fn.ReadConfig(pci.RegCommand, 2)
	if err != nil {
		return fmt.Errorf("reading the PCI command register: %w", err)
	}
	if uint16(command)&pci.CommandBusMaster != 0 {
		return fmt.Errorf("the PCI command register reads %#04x: bus mastering stays on", command)
	}
	return nil
}
