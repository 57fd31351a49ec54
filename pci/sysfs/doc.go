// Package sysfs lists the PCI functions of a Linux machine and binds them to other drivers, by
// reading and writing files of sysfs.
//
// All paths are below a root directory, so that a temporary tree can replace the machine. The
// writes are computed first, as a [Plan], which can be shown, and which [FS.Apply] carries out:
// when a write fails, the earlier ones are undone.
//
// # Where the former driver is stored
//
// Nowhere: this package writes nothing but sysfs. A function is bound by driver_override, which the
// kernel stores with the function until the function is removed; [FS.Restore] clears it and binds
// the function to the driver that the kernel chooses by the function's ids, as it did at boot. That
// is the former driver unless the kernel's choice was overridden before; then the driver has to be
// named. devbind remembers it below /run.
//
// # IOMMU groups that appear late
//
// Where a device tree or an ACPI table describes the IOMMU, as on arm64 with an SMMU, the kernel
// creates the group of a function when a driver is bound to the function for the first time.
// [FS.Bind] plans for a function that has neither a driver nor a group on a machine with an IOMMU,
// and [FS.Apply] checks afterwards that the group has appeared.
package sysfs
