// Package pci is what a driver in user space needs to know about PCI: the address of a function,
// the registers and the capability list of its configuration space, and [Function], the interface
// that real and emulated functions implement.
//
// It opens nothing and imports nothing of this module. Package vfio has real functions, package
// pcifn emulated ones, package sysfs binds and lists them.
//
// Everything read from configuration space comes from the device and may be wrong or hostile: walks
// are bounded, and an invalid value is an [Error] that names its offset.
package pci
