package meter

import (
	"encoding/binary"
	"math/bits"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
)

// window is which sequence numbers of a stream were received. Numbers are counted with
// 64 bits, so that they do not wrap; a packet has the low 32.
type window struct {
	// expect is the first half of the signature that the next expected number has: it
	// is compared as a whole, so that one comparison finds that a packet is in order.
	// After number 1<<32-1 it is another stream's, until setNext makes it right.
	expect uint64
	prefix uint64 // expect with number 0
	offset uint64 // what the next expected number is more than expect
	// One bit for each number of the window, which ends before the next expected one:
	// whether it was received. Bits of numbers outside are of no meaning until they are
	// set or cleared.
	words []uint64
	mask  uint64 // len(words)-1
	first uint64 // number of the trial
}

// firstNumber is what a window adds to numbers, so that those before the first of a
// trial are positive.
const firstNumber = 1 << 32

func newWindow(id uint16, size int) window {
	var s [traffic.SignatureLen]byte
	traffic.PutSignature(s[:], traffic.Signature{Stream: id})
	return window{prefix: binary.BigEndian.Uint64(s[:]), words: make([]uint64, size/64), mask: uint64(size/64) - 1}
}

// begin makes first the next expected number. What the window held is of an earlier
// trial, before first, and so is not looked at.
func (w *window) begin(first uint32) {
	w.first = firstNumber + uint64(first)
	w.setNext(w.first)
}

// next returns the next expected number: the largest received plus one.
func (w *window) next() uint64 { return w.expect + w.offset }

func (w *window) setNext(n uint64) {
	w.expect = w.prefix | uint64(uint32(n))
	w.offset = n - w.expect
}

// size returns how many numbers the window has.
func (w *window) size() uint64 { return uint64(len(w.words)) * 64 }

// advance marks the n next expected numbers as received. The bits that they take are
// those of numbers that leave the window.
func (w *window) advance(n uint64) {
	at := uint64(uint32(w.expect))
	w.expect += n
	for n > 0 {
		k := min(n, 64-at%64)
		w.words[at/64&w.mask] |= (1<<k - 1) << (at % 64)
		at += k
		n -= k
	}
}

// receive counts a packet. It reports whether it may be the first of its number.
func (w *window) receive(seq uint32, c *Counts) bool {
	next := w.next()
	ahead := int32(seq - uint32(next))
	if ahead >= 0 {
		w.skip(next, uint64(ahead))
		w.advance(1)
		c.Skipped += uint64(ahead)
		c.InOrder++
		return true
	}
	n := next - uint64(-int64(ahead))
	switch {
	case n < w.first:
		c.Stale++
		return false
	case next-n > w.size():
		c.Late++
		return true
	}
	word, bit := &w.words[n/64&w.mask], uint64(1)<<(n%64)
	if *word&bit != 0 {
		c.Duplicate++
		return false
	}
	*word |= bit
	extent := w.received(n+1, next)
	c.Reordered++
	c.ExtentSum += extent
	c.ExtentMax = max(c.ExtentMax, extent)
	return true
}

// skip makes the next expected number the one that is n after next, and marks those in
// between as not received.
func (w *window) skip(next, n uint64) {
	from, end := next, next+n
	w.setNext(end)
	if n >= w.size() {
		clear(w.words)
		return
	}
	for from < end {
		mask := ^uint64(0) << (from % 64)
		if end-from&^63 < 64 {
			mask &= 1<<(end%64) - 1
		}
		w.words[from/64&w.mask] &^= mask
		from = from&^63 + 64
	}
}

// received returns how many numbers of the window, from n to before next, were received.
func (w *window) received(n, next uint64) (count uint64) {
	for n < next {
		word := w.words[n/64&w.mask] >> (n % 64)
		if next-n < 64 {
			word &= 1<<(next-n) - 1
		}
		count += uint64(bits.OnesCount64(word))
		n = n&^63 + 64
	}
	return count
}
