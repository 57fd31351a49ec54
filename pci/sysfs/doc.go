// Package sysfs lists the PCI functions of a Linux machine and gives them to
// other drivers, by reading and writing plain files.
//
// Everything happens under a root directory, so that a temporary tree can
// stand in for the machine. What would be written is data first, a Plan, which
// can be shown, and which Apply carries out: a write that fails takes back
// those before it.
//
// # Where the former driver is remembered
//
// Nowhere: no state file could be right after a reboot, a hot-plug or another
// tool. A function is bound by driver_override, which the kernel keeps with
// the function and forgets with it; restoring clears it and gives the function
// to the driver that the kernel chooses by the function's ids, as it did at
// boot. That is the driver the function had unless somebody had overridden the
// kernel's choice before; then the driver has to be named.
package sysfs
