// Package tsc reads the time-stamp counter as device/clock.h does.
package tsc

// Start waits for everything before it, empties the store buffer and reads the counter.
func Start() uint64

// Stop waits for everything before it and reads the counter.
func Stop() uint64
