package mbuf

// DriverView says where in the room of a [Buf] the data is: its offset in the low
// 32 bits, its length in the high ones. It is one word, so that moving a Buf
// between driver and application is one store.
//
// The highest bit of each half is a mark. The marks are where they cost plain packets
// nothing: whatever sets the data of a buffer anew clears them, and a length with its
// mark fails the check of a length that there is anyway.
type DriverView uint64

const (
	// viewDescribed says that the record of the buffer means something.
	viewDescribed = DriverView(1) << 31
	// viewRequest says that the packet cannot be sent as it is: its checksum is to be
	// completed, or it is to be segmented. The record says how.
	viewRequest = DriverView(1) << 63
)

// DriverViewOf returns the view of n bytes at offset off.
func DriverViewOf(off, n uint32) DriverView { return DriverView(n)<<32 | DriverView(off) }

// Offset returns where the data starts, in bytes from the start of the room.
func (v DriverView) Offset() uint32 { return uint32(v) & halfMask }

// Len returns how many bytes there are. For a Buf that the application does not
// hold, that is more than any room has.
func (v DriverView) Len() uint32 { return uint32(v>>32) & halfMask }

// halfMask takes the mark off a half.
const halfMask = 1<<31 - 1

// end returns where the data ends. If the Buf is not held, that is behind any room.
func (v DriverView) end() uint64 { return uint64((uint32(v) + uint32(v>>32)) & halfMask) }

// PlainLen is Len of a packet that can be sent as it is. For others, and for a Buf
// that the application does not hold, it is more than any room has.
func (v DriverView) PlainLen() uint32 { return uint32(v >> 32) }

// PlainOffset is Offset of a Buf without a record. For others it is more than any room has.
func (v DriverView) PlainOffset() uint32 { return uint32(v) }
