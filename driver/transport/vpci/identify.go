package vpci

import (
	"fmt"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// Identifiers of a virtio network device (4.1.2), of any revision.
const (
	vendorVirtio          = 0x1af4
	deviceModernNet       = 0x1041 // 0x1040 and the device type, 1 for network
	deviceTransitionalNet = 0x1000
	deviceFirst           = 0x1000
	deviceLast            = 0x107f
)

// identify fails unless fn is a virtio network device, and reports whether its id
// is the one that legacy devices have too.
func identify(fn pci.Function) (transitional bool, err error) {
	vendor, err := fn.ReadConfig(pci.RegVendorID, 2)
	if err != nil {
		return false, fmt.Errorf("%s: reading the vendor id: %w", fn.Address(), err)
	}
	device, err := fn.ReadConfig(pci.RegDeviceID, 2)
	if err != nil {
		return false, fmt.Errorf("%s: reading the device id: %w", fn.Address(), err)
	}
	if absent(fn) {
		return false, removedError(fn.Address())
	}
	if vendor != vendorVirtio || device != deviceModernNet && device != deviceTransitionalNet {
		return false, &UnsupportedError{Function: fn.Address(), Vendor: uint16(vendor),
			Device: uint16(device)}
	}
	return device == deviceTransitionalNet, nil
}
