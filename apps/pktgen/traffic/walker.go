package traffic

import "math/bits"

// walker goes through the numbers 0 to n-1, one for each packet.
type walker struct {
	kind   walkKind
	n      uint64 // 0: 1<<64
	next   uint64
	state  uint64 // of random
	parent int    // of after: the walker that it depends on
	begun  bool   // of after: the parent's first packet is behind
	again  uint32 // of after: at which of the packets of this batch it began again
}

type walkKind uint8

const (
	walkTurn   walkKind = iota // 0, 1, 2 ...
	walkRandom                 // any
	walkAfter                  // the next one each time the parent begins again
)

// golden is the step of the generator splitmix64.
const golden = 0x9e3779b97f4a7c15

// batch is how many packets are prepared at a time.
const batch = 32

// walk stores the numbers for len(to) packets.
func (w *walker) walk(to []uint64, walkers []walker, numbers *[maxWalkers][batch]uint64) {
	switch w.kind {
	case walkTurn:
		next, n := w.next, w.n
		for i := range to {
			to[i] = next
			if next++; next == n {
				next = 0
			}
		}
		w.next = next
	case walkRandom:
		for i := range to {
			to[i] = w.random()
		}
	case walkAfter:
		w.walkAfter(to, walkers, numbers)
	}
}

// walkAfter is walk for a walker that goes on when its parent begins again.
func (w *walker) walkAfter(to []uint64, walkers []walker, numbers *[maxWalkers][batch]uint64) {
	parent := &walkers[w.parent]
	above := numbers[w.parent][:len(to)]
	w.again = 0
	for i := range to {
		again := above[i] == 0 && w.begun
		if parent.kind == walkAfter { // which has the number 0 more than once
			again = parent.again>>i&1 != 0
		}
		w.begun = true
		if again {
			if w.next++; w.next == w.n {
				w.next = 0
				w.again |= 1 << i
			}
		}
		to[i] = w.next
	}
}

// random returns the next random number below n.
func (w *walker) random() uint64 {
	w.state += golden
	z := w.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	if w.n == 0 {
		return z
	}
	high, _ := bits.Mul64(z, w.n)
	return high
}
