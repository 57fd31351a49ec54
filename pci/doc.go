// Package pci is what a driver in user space needs to know about PCI: the
// address of a function, the registers and the capability list of its
// configuration space, and Function, the seam behind which a function is
// either a real one or an emulated one.
//
// It opens nothing and imports nothing of this module. Package vfio has real
// functions, package pcifn emulated ones, package sysfs binds and lists them.
//
// Everything read from configuration space comes from the device and may be a
// lie: walks are bounded, and whatever does not fit is a typed error that says
// at which offset.
package pci
