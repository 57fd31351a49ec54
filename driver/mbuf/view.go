package mbuf

// DriverView says where in the room of a [Buf] the data is: its offset in the low
// 32 bits, its length in the high ones. It is one word, so that moving a Buf
// between driver and application is one store.
type DriverView uint64

// DriverViewOf returns the view of n bytes at offset off.
func DriverViewOf(off, n uint32) DriverView { return DriverView(n)<<32 | DriverView(off) }

// Offset returns where the data starts, in bytes from the start of the room.
func (v DriverView) Offset() uint32 { return uint32(v) }

// Len returns how many bytes there are. For a Buf that the application does not
// hold, that is more than any room has.
func (v DriverView) Len() uint32 { return uint32(v >> 32) }
