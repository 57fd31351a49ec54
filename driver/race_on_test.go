//go:build race

package driver

// allocatesUnderRace is what the race detector itself may allocate where nothing else does.
const allocatesUnderRace = 2
