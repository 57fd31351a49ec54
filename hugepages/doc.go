// Package hugepages allocates memory for a device: zeroed, populated, shareable by file descriptor,
// placed inside a window of addresses.
//
// Every page is populated when [Allocate] returns, so that a shortage is an error there and not a
// SIGBUS during traffic. The pages belong to a memfd or, where that is refused, to an unlinked
// file: the kernel frees them when the last process that has them ends, also if it is killed.
//
// # What a process that shares the memory can do
//
// It has a descriptor that it may write with, so it can change the contents. A memfd is sealed
// against truncation. Holes can still be punched into it: the seals that forbid that (F_SEAL_WRITE,
// F_SEAL_FUTURE_WRITE) would forbid writing. In ordinary pages the next access finds zeros; in
// hugepages it does as long as one is free, and raises SIGBUS otherwise. A file on a mount, as with
// [Options.Dir], cannot be sealed at all: it can be truncated, and every access behind its end
// raises SIGBUS. A goroutine that has called [runtime/debug.SetPanicOnFault] panics then, and the
// program does not end. [Memory.Populate] finds out whether the memory can be used again.
//
// Linux 5.14 or later is best; on older kernels pages are populated by fallocate. Only 64-bit
// machines are supported.
package hugepages
