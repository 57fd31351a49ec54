// Package vdev is a virtio network device in software, written from virtio 1.4
// and from the device's side of it. It shares the numbers of package virtio
// with the driver and nothing else, so that a misreading of the specification
// cannot hide on both sides at once.
//
// A [Device] takes the place of the hardware: package pcifn presents its features,
// status and queues to a driver as a PCI function, and the driver gives it memory
// and rings. A [VhostDevice] is the same device for package vhostback, whose
// transport starts and stops rings one by one. The frames that they send and
// receive go to and come from a [Backend]: package wire has a generator, a sink, a
// cable to another device, a TAP interface and capture files.
//
// The device is strict. It records every rule that a driver breaks under its number
// in test/conformance/rules.md (see [Violation]). A violation that would corrupt a
// ring sets DEVICE_NEEDS_RESET and raises a configuration interrupt, and the device
// does nothing until it is reset. It never touches memory that was not mapped for
// it.
//
// A device is either started, and then runs its own goroutine until Stop, or
// stepped by calling Poll, as tests and benchmarks do:
//
//	gen := wire.Gen(64)
//	fn, err := pcifn.New(pcifn.Config{Device: vdev.Config{Backend: gen}})
//	// pass fn to a driver that takes a pci.Function
//	for fn.Device().Poll() > 0 {
//	}
//	for _, v := range fn.Device().Violations() {
//		fmt.Println(v)
//	}
//
// With offloads a driver leaves checksums and segments to the device, or takes packets on
// which they are left to it. A wire that passes such packets on is an [OffloadBackend]: a
// cable, a loop and a TAP interface are. For the others, and for a driver at the far end that
// takes none, the device computes the checksums and cuts the segments itself.
//
// The control queue has the commands of filters, queue pairs, RSS, hashes, announcements,
// offloads, coalescing and statistics. Frames that a filter keeps from the driver are
// counted in Stats.RxFiltered; Config.Filter says whether one does from the start.
//
// The files mirror those of the driver's package virtq: split.go and packed.go
// hold the two ring formats, event.go when to notify, layout.go where the
// areas are; rx.go, tx.go and ctrl.go are the three kinds of queue;
// rxoffload.go, txoffload.go, judge.go and segment.go are what offloads add. The commands of each
// class are in a file of their own (ctrl_rx.go, ctrl_mac.go and so on), and what they set
// up in filter.go, hash.go, rss.go and coalesce.go. core.go is what
// the two devices have in common, device.go and vhost.go are what differs.
package vdev
