// Package pcifn presents a [vdev.Device] as a PCI function with the modern virtio
// interface: configuration space, capabilities, the register structures in BARs,
// MSI-X and DMA. A [Function] implements [pci.Function], so that a driver uses it as
// one behind VFIO.
//
// As the device behind it, it is strict about the driver: it records wrong widths,
// writes to read-only registers and doorbells at the wrong time as violations (see
// [vdev.Device]). It can also misbehave towards the driver: [Function.Poke]
// overwrites configuration space byte by byte, every register access passes through
// [Hooks], and [Config] has the common deviations.
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
