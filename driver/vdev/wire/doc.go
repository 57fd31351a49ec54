// Package wire has what a device of package vdev is connected to: a generator
// of frames ([Gen]), a sink ([Null]), a wire that leads back ([Loop]), a cable
// between two devices ([Cable]), capture files ([PCAP]) and a TAP interface
// ([TAP]). Each is a [vdev.Backend]. [Impair] makes a wire lose, reorder,
// duplicate and delay frames.
//
// A cable, a loop and a TAP interface pass large packets and incomplete checksums on, see
// [vdev.OffloadBackend]. The others have frames as they are on a network: a generator, a
// sink and a capture file count and record the segments that the device has cut, and what an
// Impairment loses is one of them.
//
// A wire belongs to the device that it was given to, which closes it. Its
// counters may be read from any goroutine.
package wire

import "github.com/virtio-pmd/virtio-pmd/driver/vdev"

var (
	_ vdev.Backend = (*Generator)(nil)
	_ vdev.Backend = (*Sink)(nil)
	_ vdev.Backend = (*End)(nil)
	_ vdev.Backend = (*Capture)(nil)
	_ vdev.Backend = (*TAPDevice)(nil)
	_ vdev.Backend = (*Impairment)(nil)

	_ vdev.OffloadBackend = (*End)(nil)
	_ vdev.OffloadBackend = (*TAPDevice)(nil)

	_ vdev.LinkReporter = (*TAPDevice)(nil)
	_ vdev.LossReporter = (*TAPDevice)(nil)
	_ vdev.LossReporter = (*Capture)(nil)
)

// Lengths of Ethernet headers and frames, in bytes and without the checksum.
const (
	etherHeader = 14
	vlanTag     = 4
	maxFrame    = 65535 + etherHeader + vlanTag
)
