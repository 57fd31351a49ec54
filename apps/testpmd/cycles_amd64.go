package main

// clockName is the clock that cycles reads.
const clockName = "TSC"

// cycles reads the time stamp counter: RDTSC, for which there is no Go.
func cycles() uint64
