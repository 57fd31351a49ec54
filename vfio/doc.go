// Package vfio gives a process a PCI function through the kernel's VFIO interface: configuration
// space, registers, interrupts, DMA. [Open] returns a [Function], which implements
// [github.com/virtio-pmd/virtio-pmd/pci.Function].
//
// Every function has a container of its own. With an IOMMU the device can access only the memory
// that [Function.MapDMA] mapped; without one (no-IOMMU mode, which needs [Options].NoIOMMU) it can
// access all of memory.
//
// The ABI is that of linux/vfio.h, written by hand in abi.go. The function has to be bound to
// vfio-pci, or to a variant of it, before.
package vfio
