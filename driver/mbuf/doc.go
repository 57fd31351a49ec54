// Package mbuf holds packet buffers that a device can read and write.
//
// A [Pool] takes memory from package hugepages and divides it into rooms of one
// size, each with headroom and room for data. For each room there is a [Buf]: a
// record of one cache line that says where in the room the packet is. The records
// are in the Go heap and not beside the data, because a device can write all the
// memory that it is given, and what the driver relies on must not be there.
//
//	pool, err := mbuf.NewPool(mbuf.Config{Count: 4096})
//	...
//	b := pool.GetOne() // nil if no buffer is free
//	b.AppendBytes(payload)
//	copy(b.Prepend(len(header)), header)
//	if tx.Burst([]*mbuf.Buf{b}) == 0 {
//		b.Free() // the queue is full, and the buffer still the application's
//	}
//
// A packet is a chain of one or more segments, and is named by its first.
// [Buf.Data], [Buf.Len], [Buf.Append], [Buf.Prepend], [Buf.Adj] and [Buf.Trim]
// are about one segment; [Buf.Segments], [Buf.PacketLen], [Buf.AppendBytes],
// [Buf.CopyTo], [Buf.Linearize], [Buf.Free] and [Pool.Clone] about the packet.
//
// # Offloads
//
// What a device found out about a received packet goes with its first segment:
// [Buf.Checksum], [Buf.Hash], [Buf.SegmentSize]. What is to be done when it is sent is
// asked for with [Buf.PrepareChecksum] and [Buf.PrepareSegmentation], or, by who has
// parsed the packet already, with [Buf.RequestChecksum] and [Buf.RequestSegmentation]. A
// packet that was received with a request is sent with it, whether the device that
// sends it can do that or not. Reset, Free and the transmit Burst forget all of it.
//
// # Ownership
//
// At any time a Buf is in one of three places: free in its pool or in one of the
// pool's caches, posted to a device by a queue, or held by the application. Get,
// GetOne, Clone and the receive Burst of a queue give a Buf to the application;
// Put, Free and the transmit Burst take it back. When no call is in progress the
// three add up to the size of the pool.
//
// A Pool may be used from any goroutine. A [Cache] belongs to one goroutine and
// needs no lock; queues take their buffers from one and give them back to it. A
// Buf belongs to the goroutine that holds it.
//
// # For drivers
//
// Identifiers that begin with Driver, such as [DriverBuf], are what queues and
// devices need of the same buffers. Applications do not use them.
package mbuf
