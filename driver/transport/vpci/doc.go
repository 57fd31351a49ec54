// Package vpci drives a modern virtio device over PCI (virtio 1.4, 4.1): it
// finds the register structures of a pci.Function, real or emulated. A [Device] is
// a transport.Transport.
//
// The device is not trusted. Every range it names is checked against the BAR
// before the first access, every wait has a bound, every register is accessed
// with its own width, and what cannot be used is refused with an error that
// carries the numbers. Legacy devices are recognised and refused.
//
// Open enables memory and I/O decoding and disables bus mastering, so that the
// device can do no DMA. The first SetQueue after a confirmed Reset enables bus
// mastering: the reset has made the device forget every address an earlier driver
// gave it. Close disables bus mastering again before anything else.
package vpci
