package virtq

import "github.com/virtio-pmd/virtio-pmd/driver/mbuf"

// slots is what the driver knows about the descriptors of a ring, and the
// device cannot change.
//
// There are as many positions as descriptors. Those in use form one window,
// which starts at head, is count positions long and may lie across the end:
// buffers enter at its tail, in the order they are made available, and leave at
// its head. Every position owns an identifier, which the next buffer there is
// posted with: the number of the descriptor on a split ring, the buffer ID on a
// packed one. A chain takes as many positions as it has descriptors and has the
// identifier of the first.
//
// A device that uses buffers in the order they were made available, as nearly
// all do, always names the identifier at head. That one compare is enough: the
// identifier at head is in range, outstanding, and not the middle of a chain.
// When the device names another one, distance finds it and toFront moves it to
// head, so that the window still holds what is outstanding.
type slots struct {
	head  int // first position in use
	count int // number of positions in use

	// sorted is whether the identifier of every position is its own number, as it is
	// until a buffer is used out of order.
	sorted bool

	// unsettled counts the next positions whose identifier may not be the one of
	// a lap ago. It is 0 after a lap in order and without chains.
	unsettled int

	buf   []*mbuf.Buf // first buffer of the chain that begins at a position
	id    []uint16    // identifier that a position owns
	at    []uint16    // position that owns an identifier
	chain []uint16    // descriptors of the chain that begins at a position, 0 in its middle, 1 where none is
}

func newSlots(size int) slots {
	s := slots{
		id:        make([]uint16, size),
		at:        make([]uint16, size),
		buf:       make([]*mbuf.Buf, size),
		chain:     make([]uint16, size),
		sorted:    true,
		unsettled: size,
	}
	for i := range s.id {
		s.id[i], s.at[i], s.chain[i] = uint16(i), uint16(i), 1
	}
	return s
}

// size returns the number of positions.
func (s *slots) size() int { return len(s.id) }

// free returns how many positions are not in use.
func (s *slots) free() int { return len(s.id) - s.count }

// wrap brings a position that is less than twice the size into range.
func (s *slots) wrap(i int) int {
	if i >= len(s.id) {
		i -= len(s.id)
	}
	return i
}

// tail returns the first position that is not in use, if there is one.
func (s *slots) tail() int { return s.wrap(s.head + s.count) }

// run returns how many of the n positions from at on have identifiers that follow each
// other. The fast paths take so many at once, and count instead of reading them.
func (s *slots) run(at, n int) int {
	if s.sorted {
		return n
	}
	return s.findRun(at, n)
}

// findRun is run of positions whose identifiers have to be read.
func (s *slots) findRun(at, n int) int {
	ids := s.id[at : at+n]
	for i := 1; i < len(ids); i++ {
		if ids[i] != ids[i-1]+1 {
			return i
		}
	}
	return n
}

// drop takes n positions off the front of the window.
func (s *slots) drop(n int) {
	s.head = s.wrap(s.head + n)
	s.count -= n
}

// distance returns how many positions after from the chain with this id begins,
// or -1 if there is none nearer than limit. id comes from the device and may have
// any value.
func (s *slots) distance(id uint32, from, limit int) int {
	if id >= uint32(len(s.at)) {
		return -1
	}
	there := int(s.at[id])
	d := there - from
	if d < 0 {
		d += len(s.id)
	}
	if d >= limit || s.chain[there] == 0 {
		return -1
	}
	return d
}

// toFront moves the chain that begins d positions after from to from. The others
// stay in the window, in whatever order is least work. The identifiers move along.
// It returns how many positions it wrote, which is d and more in the worst case.
func (s *slots) toFront(from, d int) int {
	s.sorted, s.unsettled = false, len(s.id)
	there := s.wrap(from + d)
	n := int(s.chain[there])
	if s.fills(from, min(n, d)) == n { // what is there changes places with the chain
		for i := range n {
			s.swap(s.wrap(from+i), s.wrap(there+i))
		}
		return n
	}
	// Reversing each part, and then both together, exchanges them.
	s.reverse(from, d)
	s.reverse(there, n)
	s.reverse(from, d+n)
	return d + n
}

// fills returns how many positions the whole chains from a position on take, up to
// the first sum that is n or more.
func (s *slots) fills(from, n int) int {
	sum := 0
	for sum < n {
		sum += int(s.chain[s.wrap(from+sum)])
	}
	return sum
}

// reverse reverses the order of n positions.
func (s *slots) reverse(from, n int) {
	for i, j := 0, n-1; i < j; i, j = i+1, j-1 {
		s.swap(s.wrap(from+i), s.wrap(from+j))
	}
}

// swap exchanges what two positions hold.
func (s *slots) swap(i, j int) {
	s.id[i], s.id[j] = s.id[j], s.id[i]
	s.buf[i], s.buf[j] = s.buf[j], s.buf[i]
	s.chain[i], s.chain[j] = s.chain[j], s.chain[i]
	s.at[s.id[i]], s.at[s.id[j]] = uint16(i), uint16(j)
}

// begin marks n positions from at on as a chain of b.
func (s *slots) begin(at, n int, b *mbuf.Buf) {
	s.buf[at] = b
	s.chain[at] = uint16(n)
	for i := 1; i < n; i++ {
		s.chain[s.wrap(at+i)] = 0
	}
}

// end forgets the chain at head, which stays in the window, and returns the
// number of its descriptors.
func (s *slots) end() int {
	n := int(s.chain[s.head])
	for i := range n {
		s.chain[s.wrap(s.head+i)] = 1
	}
	return n
}
