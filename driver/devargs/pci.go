package devargs

import (
	"fmt"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/driver/transport/vhostuser"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vpci"
	"github.com/virtio-pmd/virtio-pmd/pci/sysfs"
	"github.com/virtio-pmd/virtio-pmd/vfio"
)

// Check returns why the device of a port cannot be opened, as far as that shows without
// opening it: no function has the address, it is not a modern virtio network device, or it
// is not bound to vfio-pci; there is no socket to connect to.
func (s Spec) Check(root string) error {
	switch {
	case s.Kind == VhostUser && !s.Server:
		return vhostuser.Check(s.Socket)
	case s.Kind != PCI:
		return nil
	}
	info, err := sysfs.FS{Root: root}.Function(s.Address)
	switch address := s.Address.String(); {
	case err != nil:
		return err
	// What binding would not change comes first, before the remedy is to unbind the
	// function from the kernel's driver.
	case !info.VirtioNet():
		return &vpci.UnsupportedError{Function: address, Vendor: info.Vendor, Device: info.Device}
	case info.Kind == sysfs.Legacy:
		return &vpci.UnsupportedError{Function: address, Vendor: info.Vendor, Device: info.Device, Legacy: true}
	case info.Fault != nil:
		return fmt.Errorf("%s: %w", address, info.Fault)
	case !strings.Contains(info.Driver, "vfio"): // vfio-pci, or a variant of it
		return &vfio.NotBoundError{Address: address, Driver: info.Driver, Netdevs: info.Netdevs}
	}
	return nil
}

// Node returns the NUMA node of the device, -1 if the machine does not say or if the
// port is not a PCI port.
func (s Spec) Node(root string) int {
	if s.Kind != PCI {
		return -1
	}
	info, err := sysfs.FS{Root: root}.Function(s.Address)
	if err != nil {
		return -1 // Check says what is wrong
	}
	return info.NUMANode
}

// openPCI opens a function that is bound to vfio-pci.
func (s Spec) openPCI(o Options) (*vpci.Device, error) {
	if err := s.Check(o.Root); err != nil {
		return nil, err
	}
	fn, err := vfio.Open(s.Address, vfio.Options{NoIOMMU: s.NoIOMMU, Root: o.Root, Logger: o.Logger})
	if err != nil {
		return nil, err
	}
	return vpci.Open(fn, vpci.Options{Logger: o.Logger})
}
