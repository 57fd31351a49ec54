package generator

import "time"

// Clock counts nanoseconds since it was made: CLOCK_MONOTONIC, read without a system
// call where the kernel can do so, at some 30 ns. All pollers of a process that measure
// times between each other use one Clock.
type Clock struct{ start time.Time }

// NewClock returns a clock at 0.
func NewClock() Clock { return Clock{time.Now()} }

// Now returns the time.
func (c Clock) Now() int64 { return int64(time.Since(c.start)) }

// Time returns the time of day at a time of the clock.
func (c Clock) Time(now int64) time.Time { return c.start.Add(time.Duration(now)) }
