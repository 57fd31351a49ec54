// Package hugepages allocates the memory that a device works on: zeroed,
// populated, shareable by file descriptor, placed inside a window of addresses.
//
// Every page is populated when Allocate returns, so that a shortage is an error
// there and not a SIGBUS in the middle of the traffic. The pages belong to a
// memfd or to an unlinked file: the kernel takes them back when the last
// process that has them ends, however it ends.
//
// Linux 5.14 or later is best; on older kernels pages are populated by
// fallocate. Only 64-bit machines are supported.
package hugepages
