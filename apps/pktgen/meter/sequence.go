package meter

import "math/bits"

// window is which sequence numbers of a stream were received. Numbers are counted with
// 64 bits, so that they do not wrap; a packet has the low 32.
type window struct {
	next  uint64 // the next expected number: the largest received plus one
	first uint64 // of the trial
	// Bit n%len is set if number n was received, for the numbers of the window: those
	// before next. The others are of no meaning until they are cleared or set.
	words []uint64
}

// firstNumber is what a window adds to numbers, so that those before the first of a
// trial are positive.
const firstNumber = 1 << 32

func newWindow(size int) window { return window{words: make([]uint64, size/64)} }

// begin makes first the next expected number. What the window held is of an earlier
// trial, before first, and so is not looked at.
func (w *window) begin(first uint32) {
	w.first = firstNumber + uint64(first)
	w.next = w.first
}

// size returns how many numbers the window has.
func (w *window) size() uint64 { return uint64(len(w.words)) * 64 }

// advance marks the next expected number as received. The bit that it takes is that of
// the number that leaves the window.
func (w *window) advance() {
	w.words[w.next/64%uint64(len(w.words))] |= 1 << (w.next % 64)
	w.next++
}

// slow counts a packet whose number is not the next expected one. It reports whether it
// may be the first of its number.
func (w *window) slow(seq uint32, c *Counts) bool {
	ahead := int32(seq - uint32(w.next))
	if ahead >= 0 {
		w.skip(uint64(ahead))
		w.advance()
		c.Skipped += uint64(ahead)
		c.InOrder++
		return true
	}
	n := w.next - uint64(-int64(ahead))
	switch {
	case n < w.first:
		c.Stale++
		return false
	case w.next-n > w.size():
		c.Late++
		return true
	}
	word, bit := &w.words[n/64%uint64(len(w.words))], uint64(1)<<(n%64)
	if *word&bit != 0 {
		c.Duplicate++
		return false
	}
	*word |= bit
	extent := w.received(n + 1)
	c.Reordered++
	c.ExtentSum += extent
	c.ExtentMax = max(c.ExtentMax, extent)
	return true
}

// skip moves the next expected number forward by n numbers that were not received.
func (w *window) skip(n uint64) {
	from := w.next
	w.next += n
	if n >= w.size() {
		clear(w.words)
		return
	}
	for from < w.next {
		mask := ^uint64(0) << (from % 64)
		end := from&^63 + 64
		if end > w.next {
			mask &= 1<<(w.next%64) - 1
			end = w.next
		}
		w.words[from/64%uint64(len(w.words))] &^= mask
		from = end
	}
}

// received returns how many numbers of the window from n on were received.
func (w *window) received(n uint64) (count uint64) {
	for n < w.next {
		word := w.words[n/64%uint64(len(w.words))] >> (n % 64)
		end := n&^63 + 64
		if end > w.next {
			word &= 1<<(w.next-n) - 1
			end = w.next
		}
		count += uint64(bits.OnesCount64(word))
		n = end
	}
	return count
}
