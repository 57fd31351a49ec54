package lcore

// ClockName is the clock that [Cycles] reads: the time stamp counter.
const ClockName = "TSC"

// Cycles reads the clock that the processor counts at a fixed rate, at the cost of some
// ten nanoseconds. It is the clock of [Core.Times].
func Cycles() uint64 // RDTSC, for which there is no Go
