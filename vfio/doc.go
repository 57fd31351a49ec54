// Package vfio gives a process a PCI function through the kernel's VFIO
// interface: configuration space, registers, interrupts, DMA. Open returns a
// *Function, which implements pci.Function.
//
// Every function has a container of its own. With an IOMMU the device reaches
// only what MapDMA gave it; without one (no-IOMMU mode, to be asked for by
// Options.NoIOMMU) it reaches all of memory.
//
// The ABI is that of linux/vfio.h, written by hand in abi.go. The function has
// to be bound to vfio-pci, or to a variant of it, before.
package vfio
