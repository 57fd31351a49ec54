package mbuf

// This file is the part of the package that queues use and applications do not:
// it moves a Buf between the driver and the application without the cost of
// making it a clean empty packet on the way.

// Deliver hands b, which the driver owns, to the application as a packet of one
// segment. The caller has checked that the view lies inside the room.
func (b *Buf) Deliver(v View) { b.view = v }

// Consume takes b away from the application.
func (b *Buf) Consume() { b.view = notHeld }

// Held tells whether the application holds b.
func (b *Buf) Held() bool { return b.view != notHeld }

// View returns where the data is. If b is not held, both offset and length are
// more than any room has, so that a check against a bound finds that as well.
func (b *Buf) View() View { return b.view }

// Base returns the device address of the room, 0 while the pool is not bound.
func (b *Buf) Base() uint64 { return b.addr }

// Room returns all the bytes that Base is the device address of.
func (b *Buf) Room() []byte { return b.room }

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

// GiveChain is Give for one packet of any number of segments from any pool. It
// returns how many buffers that were.
func (c *Cache) GiveChain(b *Buf) int {
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
