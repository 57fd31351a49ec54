package mbuf

// Buf is one packet buffer, or one segment of a packet that has several. It is a
// record of 64 bytes in the Go heap; the room for headroom and data that it
// describes is in the memory of its [Pool].
//
// The goroutine that holds the Buf may use it. After Put, Free or a transmit
// Burst that took it, it must not be used.
type Buf struct {
	next *Buf
	pool *Pool
	room []byte
	addr uint64     // device address of room[0], 0 until the pool is bound
	view DriverView // where in room the data is, or notHeld

	index       uint32 // of the buffer in its pool, and of its record in Pool.offloads
	headerDirty bool   // see DriverBuf.SetHeaderDirty
	_           [3]byte
}

// notHeld is the view of a buffer that the application does not hold. Its length
// fails every check of a length, which so finds a buffer that is freed twice, or
// sent after it was freed, without a comparison of its own.
const notHeld = DriverView(1<<64 - 1)

// Data returns the bytes of this segment. The slice is valid while the Buf is held
// and its bounds are not changed. It is nil if the Buf is not held.
func (b *Buf) Data() []byte {
	if b.view == notHeld {
		return nil
	}
	off, end := b.view.Offset(), b.view.Offset()+b.view.Len()
	return b.room[off:end:end]
}

// Len returns how many bytes [Buf.Data] has. [Buf.PacketLen] counts all segments.
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

// Prepend makes the data start n bytes earlier and returns these n bytes, whose
// contents are undefined. It returns nil and changes nothing if there is no room.
func (b *Buf) Prepend(n int) []byte {
	if n < 0 || n > b.Headroom() || b.view == notHeld {
		return nil
	}
	b.view += DriverViewOf(0, uint32(n)) - DriverViewOf(uint32(n), 0)
	return b.room[b.view.Offset():][:n:n]
}

// Append makes the data of this segment end n bytes later and returns these n
// bytes, whose contents are undefined. It returns nil and changes nothing if
// there is no room; [Buf.AppendBytes] then takes more segments.
func (b *Buf) Append(n int) []byte {
	end := b.view.end()
	if n < 0 || end+uint64(n) > uint64(len(b.room)) {
		return nil
	}
	b.view += DriverViewOf(0, uint32(n))
	return b.room[end : end+uint64(n) : end+uint64(n)]
}

// Adj removes n bytes from the front of this segment. It returns false and changes
// nothing if there are fewer.
func (b *Buf) Adj(n int) bool {
	if n < 0 || n > b.Len() || b.view == notHeld {
		return false
	}
	b.view += DriverViewOf(uint32(n), 0) - DriverViewOf(0, uint32(n))
	return true
}

// Trim removes n bytes from the end of this segment. It returns false and changes
// nothing if there are fewer.
func (b *Buf) Trim(n int) bool {
	if n < 0 || n > b.Len() || b.view == notHeld {
		return false
	}
	b.view -= DriverViewOf(0, uint32(n))
	return true
}

// Reset makes the Buf an empty packet of one segment with the headroom of its
// pool, as [Pool.Get] returns it. A next segment is detached, not freed.
func (b *Buf) Reset() {
	if b.view == notHeld {
		return
	}
	b.next = nil
	b.view = b.pool.empty
}
