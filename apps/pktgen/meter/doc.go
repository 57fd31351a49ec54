// Package meter counts and times what a port receives from a generator.
//
// A [Receiver] is given the packets of a port. By the signature at the end of each it
// finds the stream and the sequence number of the packet, and for streams with Latency
// also when it was sent. Everything that is received is counted once:
//
//	packets = in order + reordered + duplicate + late + stale + corrupt  of each stream
//	        + unknown                                  no signature
//	        + invalid                                  a stream that is not measured
//
// # Sequence
//
// Reordering is that of RFC 4737: a packet is reordered if its number is smaller than
// the next expected one, which is the largest received plus one. A packet with a larger
// number is in order, and those that it skips are missing until they arrive. Which
// numbers were received is held exactly for the last 65,536 (Config.Window) before the
// next expected one, so a packet among them is known to be reordered or a duplicate.
// One that is further behind is late: it may be either, is counted apart, and still
// counts as missing. Numbers have 32 bits and wrap.
//
// The extent of a reordered packet is how many packets that were sent after it arrived
// before it. The reordering extent of RFC 4737 counts in addition those that arrived in
// between although they were sent earlier; for a single displaced packet both are the
// same.
//
// # Trials
//
// Sequence numbers run on from one trial to the next. [Receiver.Begin] says with which
// number each stream begins; a packet with an earlier one is stale, and neither lost
// nor received in the new trial.
//
// # Latency
//
// The latency of a packet is the time that the caller gives for its burst less the time
// in its signature. Times that are negative, or longer than [MaxLatency], are counted
// apart. Latency is recorded for the packets of a stream that are in order, reordered
// or late, not for duplicates. Percentiles come from an HDR histogram of three
// significant digits; minimum, maximum, mean and standard deviation are exact.
//
// # Reading
//
// One goroutine calls Receive. Any goroutine may call [Receiver.Snapshot] and Begin at
// any time: Receive writes into one of two sets of counters, and a reader makes it
// change to the other set with its next burst. The receiver never waits, and a snapshot
// is of one moment between two bursts, so that its counts add up.
package meter
