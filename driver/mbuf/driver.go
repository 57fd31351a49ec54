package mbuf

// This file is what queues and devices need and applications do not: defined
// types over the same memory, so that a conversion is all it costs to get from
// one to the other. A queue moves a Buf between the driver and the application
// without making it a clean empty packet on the way.

// DriverBuf is the driver's half of a [Buf]: where its room is, and whose it is.
type DriverBuf Buf

// Driver returns the driver's half of b.
func Driver(b *Buf) *DriverBuf { return (*DriverBuf)(b) }

// Deliver hands b, which the driver owns, to the application as a packet of one
// segment. The caller has checked that the view lies inside the room.
func (b *DriverBuf) Deliver(v View) { b.view = v }

// Consume takes b away from the application.
func (b *DriverBuf) Consume() { b.view = notHeld }

// Held reports whether the application holds b.
func (b *DriverBuf) Held() bool { return b.view != notHeld }

// View returns where the data is. If b is not held, both offset and length are
// more than any room has, so that a check against a bound finds that as well.
func (b *DriverBuf) View() View { return b.view }

// Room returns all the bytes that RoomIOVA is the device address of.
func (b *DriverBuf) Room() []byte { return b.room }

// RoomIOVA returns the device address of the room, 0 while the pool is not bound.
func (b *DriverBuf) RoomIOVA() uint64 { return b.addr }

// IOVA returns the device address of Data()[0], 0 while the pool is not bound or
// the buffer not held.
func (b *DriverBuf) IOVA() uint64 {
	if b.addr == 0 || b.view == notHeld {
		return 0
	}
	return b.addr + uint64(b.view.Offset())
}

// HeaderDirty reports whether the header in front of the data was something else
// before it was made zeros for transmission. A receive queue that posts the
// buffer puts back what devices leave there.
func (b *DriverBuf) HeaderDirty() bool { return b.headerDirty }

// SetHeaderDirty sets what HeaderDirty returns.
func (b *DriverBuf) SetHeaderDirty(dirty bool) { b.headerDirty = dirty }

// Return puts packets back that the driver owns, every segment of them, and
// returns how many buffers that were. It may be called from any goroutine.
func Return(packets []*Buf) int {
	n := 0
	for _, b := range packets {
		for b != nil {
			next := b.next
			b.next = nil
			b.pool.give([]*Buf{b})
			b = next
			n++
		}
	}
	return n
}

// DriverCache is the driver's half of a [Cache].
type DriverCache Cache

// Take is [Cache.Get] for queues: the buffers stay the driver's and are as they
// were left, except that they have no next segment.
func (c *DriverCache) Take(bufs []*Buf) int { return (*Cache)(c).take(bufs) }

// Give is [Cache.Put] for queues: the buffers are the driver's, belong to this
// pool and have no next segment. Nothing is checked, no buffer is touched.
func (c *DriverCache) Give(bufs []*Buf) { (*Cache)(c).give(bufs) }

// GiveChain is Give for one packet of any number of segments from any pool. It
// returns how many buffers that were.
func (c *DriverCache) GiveChain(b *Buf) int {
	n := 0
	for b != nil {
		next := b.next
		b.next = nil
		if b.pool == c.pool {
			c.Give([]*Buf{b})
		} else {
			b.pool.give([]*Buf{b})
		}
		b = next
		n++
	}
	return n
}

// Put is [Cache.Put].
func (c *DriverCache) Put(bufs []*Buf) { (*Cache)(c).Put(bufs) }

// Pool is [Cache.Pool].
func (c *DriverCache) Pool() *Pool { return c.pool }
