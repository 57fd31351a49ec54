package vfio

// barrier orders accesses to memory and to registers. It is empty on amd64: registers are mapped
// uncached, a store to one is not visible before an earlier store to memory, and a load from one is
// not delayed behind a later access.
func barrier() {}
