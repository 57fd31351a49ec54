package vfio

// barrier orders accesses to memory and to registers, for the device too: without it a doorbell
// could reach the device before the descriptor that it announces.
//
//go:noescape
func barrier()
