package vdev

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// The region of a split ring. The word at 8 is le16 version, desc_num, last_batch_head
// and used_idx; then comes a state for each descriptor: u8 inflight, 5 bytes of padding
// and le16 next in one word, le64 counter in the other. The states are those of the heads
// of chains.
const (
	splitStates  = 16
	splitState   = 16
	splitCounter = 8
)

func (t *inflight) beginSplit(used cursor) {
	clear(t.mem[splitStates:])
	t.storeSplit(used.off)
}

// storeSplit stores version, last_batch_head and used_idx at once.
func (t *inflight) storeSplit(used uint16) {
	t.store(inflightHeader, inflightVersion|uint64(t.queue.size)<<16|uint64(t.head)<<32|uint64(used)<<48)
}

// storeHead stores the state of the chain that begins with descriptor i.
func (t *inflight) storeHead(i uint16, inflight, next uint16) {
	t.store(splitStates+splitState*int(i), uint64(inflight)|uint64(next)<<48)
}

// takeSplit stores the counter first: it orders what the mark makes valid.
func (t *inflight) takeSplit(c *chain) bool {
	c.mark.entry = c.id
	t.store(splitStates+splitState*int(c.id)+splitCounter, t.counter)
	t.counter++
	t.storeHead(c.id, 1, 0)
	return true
}

// flushSplit is queue.flushSplit with a record: the list of the batch comes before the
// used index that makes it visible, for it says whose marks are out of date after that.
func (t *inflight) flushSplit() {
	q, before := t.queue, t.head
	old := q.used.off
	for _, i := range t.batch {
		t.storeHead(i, 1, t.head)
		t.head = i
	}
	t.storeSplit(old)
	q.dev.step()
	q.flushSplit()
	for _, i := range t.batch {
		t.storeHead(i, 0, before)
		before = i
	}
	t.storeSplit(q.used.off)
	t.batch = t.batch[:0]
}

// recoverSplit goes on with a record. The used index of the ring decides, which the
// driver has seen.
func (t *inflight) recoverSplit(at cursor) (used, next cursor, err error) {
	q := t.queue
	size := q.size
	b := slices.Clone(t.mem[:splitStates+splitState*int(size)])
	inflight := make([]bool, size)
	for i := range inflight {
		inflight[i] = b[splitStates+splitState*i] == 1
	}
	i, last := recorded16(b, 12), recorded16(b, 14)
	t.head = i
	n := at.off - last
	if n > size {
		return at, at, fmt.Errorf("used_idx is %d, that of the ring is %d", last, at.off)
	}
	for ; n > 0; n-- { // of the last batch, which was used
		if i >= size {
			return at, at, fmt.Errorf("descriptor %d in the list of used ones", i)
		}
		inflight[i] = false
		i = recorded16(b, splitStates+splitState*int(i)+6)
	}
	for i := range inflight {
		state := b[splitStates+splitState*i:]
		if inflight[i] {
			c := binary.LittleEndian.Uint64(state[splitCounter:])
			t.again = append(t.again, taken{entry: uint16(i), counter: c})
			t.counter = max(t.counter, c+1)
		}
	}
	if available := uint16(load32(q.mem[DriverArea], ringFlags)>>16) - at.off; len(t.again) > int(available) {
		return at, at, fmt.Errorf("%d buffers in flight, %d are available", len(t.again), available)
	}
	t.sort()
	for i := range inflight {
		if !inflight[i] && b[splitStates+splitState*i] != 0 {
			t.storeHead(uint16(i), 0, recorded16(b, splitStates+splitState*i+6))
		}
	}
	if t.head >= size {
		t.head = 0
	}
	t.storeSplit(at.off)
	return at, cursor{at.off + uint16(len(t.again)), true}, nil
}

// takenSplit makes c the chain that was taken before.
func (q *queue) takenSplit(c *chain, head uint16) bool {
	c.id = head
	v, next := descriptorAt(q.mem[DescArea], int(head))
	return q.walkSplit(c, head, v, next)
}
