// Package generator sends the packets of streams at their rates and counts what comes
// back: the part of pktgen that drives ports.
//
// A [Generator] has ports, and streams that leave by their transmit queues. Its pollers
// are polled, each in a goroutine of its own, from its first trial to its last; a
// [Generator.Trial] starts all streams at once, lets them run for a time, waits for the last
// packets to arrive, and returns what was intended and what was achieved.
//
// Packets that a transmit queue has no room for are kept and offered again. A generator does
// not drop packets: those that were due and could not be sent by the end of the trial are
// unsent, and a trial with too many of them fails with a [*ShortError], because
// a rate that was not offered says nothing about the device under test.
//
// A packet carries the time at which it was filled, which is when it was found due. While a
// transmit queue is full, packets are filled late: they carry the time at which they were
// due, so that the wait for the device under test counts in their latency.
package generator
