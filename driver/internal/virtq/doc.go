// Package virtq is the driver side of a virtqueue in both of its formats: split
// (virtio 1.4, 2.7) and packed (2.8).
//
// # Parts
//
// Split and Packed are the cores: indices, wrap counters, publication, used
// entries, notification. SplitRx, SplitTx, PackedRx and PackedTx move packets
// over them, Chain moves the segments of control commands. Files of the two
// formats mirror each other.
//
// # Ownership
//
// A queue belongs to one goroutine, which may hand it on. Broken, Posted and
// the counters may be read from any goroutine. Queues share a buffer cache only
// if they belong to the same goroutine.
//
// # Trust
//
// The device can write all the memory that a queue is in, at any time. So the
// ring is only ever written to, apart from the three things that the device has
// to say: the used index, the used entries and whether it wants to be notified.
// Each of them is read once and compared with private state before it is
// believed. Which buffer lies where, how long chains are and which identifier
// is out is in private arrays (slots.go). What a conforming device cannot have
// written breaks the queue: it stops, for good, with a *BrokenError, and its
// buffers come back through Drain after the device was reset. A length that
// makes no sense costs the packet and is counted.
//
// # Life
//
// New… zeroes the ring memory; then the device is told where it is, receive
// queues are filled, and Start says that notifications may be sent. After the
// device was reset, Drain gives every posted buffer back and the queue is
// thrown away.
package virtq
