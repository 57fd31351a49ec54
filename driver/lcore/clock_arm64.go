package lcore

// ClockName is the clock that [Cycles] reads: the virtual counter, which runs at a rate
// of its own, below that of the processor.
const ClockName = "CNTVCT"

// Cycles reads the clock that the processor counts at a fixed rate, at the cost of some
// ten nanoseconds. It is the clock of [Core.Times].
func Cycles() uint64 // MRS, for which there is no Go
