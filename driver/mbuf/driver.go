package mbuf

// DriverBuf is the driver's half of a [Buf]: where its room is, and whether the
// application holds it. It is the same record under another type, as DriverCache
// and DriverPool are, so that going from one half to the other costs nothing.
type DriverBuf Buf

// Driver returns the driver's half of b.
func Driver(b *Buf) *DriverBuf { return (*DriverBuf)(b) }

// Deliver gives b, which the driver owns, to the application as a packet of one
// segment. The caller has checked that v lies inside the room.
func (b *DriverBuf) Deliver(v DriverView) { b.view = v }

// Consume takes b away from the application.
func (b *DriverBuf) Consume() { b.view = notHeld }

// Held reports whether the application holds b.
func (b *DriverBuf) Held() bool { return b.view != notHeld }

// View returns where the data is. If b is not held, offset and length are larger
// than any room, so that a check against a bound finds that too.
func (b *DriverBuf) View() DriverView { return b.view }

// Room returns the headroom and the data room. RoomIOVA is its device address.
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

// HeaderDirty reports whether the header in front of the data had to be made
// zeros for transmission. A receive queue that posts the buffer puts back what
// devices leave there.
func (b *DriverBuf) HeaderDirty() bool { return b.headerDirty }

// SetHeaderDirty sets what HeaderDirty returns.
func (b *DriverBuf) SetHeaderDirty(dirty bool) { b.headerDirty = dirty }

// Return puts the packet from b on, which the driver owns, back into its pools
// and returns how many buffers that were. It may be called from any goroutine.
func (b *DriverBuf) Return() int {
	n := 0
	for s := (*Buf)(b); s != nil; n++ {
		next := s.next
		s.next = nil
		s.pool.give([]*Buf{s}, nil)
		s = next
	}
	return n
}

// few is how many pointers are moved one by one: copy has to ask the garbage collector
// first, in several calls, and moves many at a time.
const few = 4

// DriverMove copies src to dst, which is as long or longer.
func DriverMove(dst, src []*Buf) {
	if len(src) > few {
		copy(dst, src)
		return
	}
	dst = dst[:len(src)]
	for i, b := range src {
		dst[i] = b
	}
}

// DriverCache is the driver's half of a [Cache].
type DriverCache Cache

// Take is [Cache.Get] for queues: the buffers remain the driver's, and nothing in
// them is set. They have no next segment.
func (c *DriverCache) Take(bufs []*Buf) int { return (*Cache)(c).take(bufs) }

// Give is [Cache.Put] for queues: the buffers are the driver's, belong to this
// pool and have no next segment. It checks nothing and touches no buffer.
func (c *DriverCache) Give(bufs []*Buf) { (*Cache)(c).give(bufs) }

// GiveChain is Give for one packet, whose segments may be of other pools. Those go
// back with the next GiveForeign, or earlier. It returns how many buffers that were.
func (c *DriverCache) GiveChain(b *Buf) int {
	n, pool := 0, c.pool
	for at := c.stack[c.n:max(c.n, c.limit)]; n < len(at) && b != nil && b.pool == pool; n++ {
		at[n] = b
		b, b.next = b.next, nil
	}
	(*Cache)(c).setCount(c.n + n)
	for b != nil {
		next := b.next
		b.next = nil
		if b.pool == pool {
			c.Give([]*Buf{b})
		} else {
			c.addForeign(b)
		}
		b = next
		n++
	}
	return n
}

// addForeign collects buffers of another pool.
func (c *DriverCache) addForeign(b *Buf) {
	if n := len(c.foreign); n == cap(c.foreign) || n > 0 && c.foreign[0].pool != b.pool {
		c.GiveForeign()
	}
	c.foreign = append(c.foreign, b)
}

// GiveForeign gives buffers of other pools back that GiveChain has collected.
func (c *DriverCache) GiveForeign() {
	if len(c.foreign) > 0 {
		c.foreign[0].pool.give(c.foreign, nil)
		c.foreign = c.foreign[:0]
	}
}

// Yield gives all buffers back if the pool has run out. A queue calls it when it has
// nothing else to do, as its cache then does not exchange buffers by itself.
func (c *DriverCache) Yield() { (*Cache)(c).yield() }

// Put is [Cache.Put].
func (c *DriverCache) Put(bufs []*Buf) { (*Cache)(c).Put(bufs) }

// Pool is [Cache.Pool].
func (c *DriverCache) Pool() *Pool { return c.pool }
