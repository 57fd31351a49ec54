package mbuf

// View says where the data is in the room of a Buf: its offset in the low 32
// bits, its length in the high ones. One word, so that moving a Buf between
// driver and application is one store.
type View uint64

// ViewOf returns the view of n bytes at offset off.
func ViewOf(off, n uint32) View { return View(n)<<32 | View(off) }

// Offset returns where the data starts, in bytes from the start of the room.
func (v View) Offset() uint32 { return uint32(v) }

// Len returns how many bytes there are. For a Buf that the application does not
// hold, that is more than any room has.
func (v View) Len() uint32 { return uint32(v >> 32) }
