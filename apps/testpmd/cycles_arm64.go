package main

// clockName is the clock that cycles reads: the virtual counter, which runs at
// a rate of its own, below that of the processor.
const clockName = "CNTVCT"

// cycles reads the virtual counter, for which there is no Go.
func cycles() uint64
