package virtq

// Segment is a piece of memory that the device is to read or to write.
type Segment struct {
	Address uint64
	Len     uint32
}

// needs returns how many descriptors of the ring a list of n segments takes:
// one if it goes into an indirect table.
func needs(n, indirectSize int) int {
	if n <= indirectSize {
		return 1
	}
	return n
}
