// Package vdev is a virtio network device in software, written from virtio 1.4
// and from the device's side of it. It shares the numbers of package virtio
// with the driver and nothing else, so that a misreading of the specification
// cannot hide on both sides at once.
//
// A Device takes the place of the hardware: a transport (package pcifn, for
// PCI) shows its features, status and queues to a driver; the driver gives it
// memory and rings; and what leaves and enters on the other side is the
// business of a Backend: a generator of frames, a sink, a cable to another
// device, a TAP interface, a capture file.
//
// It is strict. Every rule that a driver breaks is recorded under its number in
// test/conformance/rules.md (see Violation), and what would corrupt a ring sets
// DEVICE_NEEDS_RESET, raises a configuration interrupt and parks the device
// until it is reset. It never touches memory that was not mapped for it.
//
// A device is either started, and then runs its own goroutine until Stop, or
// stepped by hand with Poll, which is what tests and benchmarks do:
//
//	gen := wire.Gen(64)
//	fn, err := pcifn.New(pcifn.Config{Device: vdev.Config{Backend: gen}})
//	// hand fn to a driver that takes a pci.Function
//	for fn.Device().Poll() > 0 {
//	}
//	for _, v := range fn.Device().Violations() {
//		fmt.Println(v)
//	}
//
// The files mirror those of the driver's package virtq: split.go and packed.go
// hold the two ring formats, event.go when to notify, layout.go where the
// areas are; rx.go, tx.go and ctrl.go are the three kinds of queue. vring.go is
// for transports that start and stop rings one by one: package vhostback.
package vdev
