//go:build !amd64 && !arm64

package lcore

import "time"

// ClockName is the clock that [Cycles] reads: that of the system, in nanoseconds.
const ClockName = "system"

// Cycles reads the clock of [Core.Times].
func Cycles() uint64 { return uint64(time.Now().UnixNano()) }
