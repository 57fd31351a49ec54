// Package mbuf holds packet buffers that a device can read and write.
//
// A Pool takes memory from package hugepages and cuts it into data rooms of one
// size. Each room has a Buf, a record of one cache line in the Go heap that
// says where in the room the packet is. The records are deliberately not beside
// the data: a device can write all the memory it is given, and what the driver
// believes must not be there.
//
// A Buf is at any time in one of three places: free in its pool or in one of
// the pool's caches, posted to a device by a queue, or held by the application.
// Get, and the receive Burst of a queue, hand a Buf to the application; Put,
// Free and the transmit Burst take it back. Their sum is the size of the pool
// at every quiet moment.
//
// A Pool may be used from any goroutine. A Cache belongs to one goroutine and
// needs no lock; queues take their buffers from one and give them back to it. A
// Buf belongs to whoever holds it.
package mbuf
