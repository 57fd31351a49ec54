// Package virtq is the driver side of a virtqueue in both of its formats: split
// (virtio 1.4, 2.7) and packed (2.8).
//
// # Parts
//
// [Rx] and [Tx] move packets, [Control] moves the segments of control commands.
// Each is a ring of either format: rx.go, tx.go and ring.go hold what the formats
// share, and the files of the two formats mirror each other. split.go and
// packed.go have indices and wrap counters, publication, used entries and
// notification; split_rx.go and packed_rx.go, split_tx.go and packed_tx.go have
// the loops over descriptors.
//
// # Ownership
//
// A queue belongs to one goroutine at a time. Broken, Posted and the counters may
// be read from any goroutine. Queues share a buffer cache only if they belong to
// the same goroutine.
//
// # Trust
//
// The device can write all the memory that a queue is in, at any time. So the
// ring is only ever written to, apart from the three things that come from the
// device: the used index, the used entries and whether it wants to be notified.
// Each of them is read once and compared with private state before it is used. Two reads
// decide only whether the one that counts is worth while: Rx.NothingToDo sees whether a
// word is still what it was, and reclaiming compares four descriptors at a time.
// The address of each buffer, the lengths of chains and which identifiers are
// outstanding are in private arrays (slots.go). What a conforming device cannot
// have written breaks the queue: it stops, for good, with a [*BrokenError], and
// its buffers come back through Drain after the device was reset. An invalid
// length costs the packet and is counted.
//
// # Life
//
// [NewRx], [NewTx] and [NewControl] zero the ring memory; then the transport
// gives the addresses of its areas to the device, receive queues are filled, and
// Start allows notifications. After the device was reset, Drain gives every
// posted buffer back and the queue is of no more use.
package virtq
