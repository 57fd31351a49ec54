// Package virtio is the virtio specification, version 1.4, as types and
// numbers: feature bits and what they depend on, device status, the network
// header and configuration layout, control commands and ring flags.
//
// It holds no state and touches no memory. The driver side and the device side
// share this package and nothing else, so that a misreading of the
// specification cannot hide on both sides at once.
package virtio
