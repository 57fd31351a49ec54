// Package hugepages allocates memory for a device: zeroed, populated, shareable by file descriptor,
// placed inside a window of addresses.
//
// Every page is populated when [Allocate] returns, so that a shortage is an error there and not a
// SIGBUS during traffic. The pages belong to a memfd or to an unlinked file: the kernel frees them
// when the last process that has them ends, also if it is killed.
//
// Linux 5.14 or later is best; on older kernels pages are populated by fallocate. Only 64-bit
// machines are supported.
package hugepages
