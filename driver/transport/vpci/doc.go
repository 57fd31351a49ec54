// Package vpci drives a modern virtio device over PCI (virtio 1.4, 4.1): it
// finds the register structures of a pci.Function, real or emulated, and
// offers them as a transport.Transport.
//
// The device is not believed. Every place it names is checked against the BAR
// before the first access, every wait has a bound, every register is accessed
// with its own width, and what cannot be used is refused with an error that
// carries the numbers. Legacy devices are recognised and refused.
//
// The order of things: Open makes the function answer at its BARs and keeps it
// from doing DMA. The first SetQueue after a confirmed Reset lets it do DMA:
// by then it has forgotten every address a former driver gave it. Close stops
// DMA again before anything else.
package vpci
