package vfio

// barrier orders accesses to memory and to registers: those before it come
// before those after it, for the device too. Without it the device could be
// told of a descriptor that it does not see yet.
//
//go:noescape
func barrier()
