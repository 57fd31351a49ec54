// Package pcifn shows a vdev.Device as a PCI function with the modern virtio
// interface: configuration space, capabilities, the register structures behind
// BARs, MSI-X and DMA. A Function implements pci.Function, so a driver cannot
// tell it from one behind VFIO, except that no machine is harmed.
//
// As the device behind it, it is strict about the driver (wrong widths, writes
// to registers that are only for reading, doorbells at the wrong moment are
// recorded by Device().Violations()), and it can lie to the driver in return:
// configuration space can be overwritten byte by byte with Poke, every register
// access passes through Hooks, and Config has the common deviations.
//
// Without PIONotify the layout is:
//
//	BAR 1      memory, 32 bits: MSI-X table and pending bits
//	BAR 4      memory, 64 bits, prefetchable:
//	  0x0000   common configuration
//	  0x1000   ISR status
//	  0x2000   device configuration
//	  0x3000   notification
//
// and with it, BAR 2 holds a second notification structure in I/O space, which
// comes first in the capability list.
package pcifn
