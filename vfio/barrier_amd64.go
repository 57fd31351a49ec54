package vfio

// barrier orders accesses to memory and to registers. This architecture does it
// by itself: registers are mapped uncached, and neither is a store to them seen
// before an earlier store to memory, nor a load from them made after a later
// one.
func barrier() {}
