package mbuf

// Buf is one packet buffer, or one segment of a packet that spans several. It
// is a record of 64 bytes beside which lies, in device memory, the room for
// headroom and data.
//
// Whoever holds the Buf may use it, from one goroutine at a time. After Put,
// Free or a transmit Burst that took it, it must not be touched.
type Buf struct {
	next *Buf
	pool *Pool
	room []byte
	addr uint64 // device address of room[0], 0 until the pool is bound
	view View   // where in room the data is, or notHeld

	headerDirty bool    // see SetBlanked
	_           [7]byte // fills the cache line
}

// notHeld takes the place of the view while the application does not hold the
// buffer. Its length fails every check of a length, and so finds a buffer that
// is freed twice, or sent after it was freed, without a compare of its own.
const notHeld = View(1<<64 - 1)

// Data returns the bytes of this segment. The slice is good for as long as the
// Buf is held and until its bounds are changed. It is nil if the Buf is not held.
func (b *Buf) Data() []byte {
	if b.view == notHeld {
		return nil
	}
	off, end := b.view.Offset(), b.view.Offset()+b.view.Len()
	return b.room[off:end:end]
}

// Len returns how many bytes Data has.
func (b *Buf) Len() int {
	if b.view == notHeld {
		return 0
	}
	return int(b.view.Len())
}

// Pool returns the pool that the Buf came from and goes back to.
func (b *Buf) Pool() *Pool { return b.pool }

// Headroom returns how many bytes are free in front of the data.
func (b *Buf) Headroom() int {
	if b.view == notHeld {
		return 0
	}
	return int(b.view.Offset())
}

// Tailroom returns how many bytes are free behind the data.
func (b *Buf) Tailroom() int {
	if b.view == notHeld {
		return 0
	}
	return len(b.room) - b.Headroom() - b.Len()
}

// Prepend makes the data start n bytes earlier and returns these n bytes, which
// hold anything. It returns nil and changes nothing if there is no room.
func (b *Buf) Prepend(n int) []byte {
	if n < 0 || n > b.Headroom() || b.view == notHeld {
		return nil
	}
	off := b.view.Offset() - uint32(n)
	b.view = ViewOf(off, b.view.Len()+uint32(n))
	return b.room[off:][:n:n]
}

// Append makes the data of this segment end n bytes later and returns these n
// bytes, which hold anything. It returns nil and changes nothing if there is no
// room.
func (b *Buf) Append(n int) []byte {
	if n < 0 || n > b.Tailroom() || b.view == notHeld {
		return nil
	}
	end := b.view.Offset() + b.view.Len()
	b.view += ViewOf(0, uint32(n))
	return b.room[end:][:n:n]
}

// Adj takes n bytes off the front of this segment. It returns false and changes
// nothing if there are fewer.
func (b *Buf) Adj(n int) bool {
	if n < 0 || n > b.Len() || b.view == notHeld {
		return false
	}
	b.view = ViewOf(b.view.Offset()+uint32(n), b.view.Len()-uint32(n))
	return true
}

// Trim takes n bytes off the end of this segment. It returns false and changes
// nothing if there are fewer.
func (b *Buf) Trim(n int) bool {
	if n < 0 || n > b.Len() || b.view == notHeld {
		return false
	}
	b.view -= ViewOf(0, uint32(n))
	return true
}

// Reset makes the Buf an empty packet of one segment with the headroom of its
// pool, as Get hands it out. A next segment is detached, not freed.
func (b *Buf) Reset() {
	if b.view == notHeld {
		return
	}
	b.next = nil
	b.view = b.pool.empty
}
