package vdev

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// The description of vhost-user ("Inflight I/O tracking") has the device record, in
// memory that outlives it, which buffers it has taken and not used yet, and where it is
// in the ring. A device that takes the place of one that was killed goes on from that:
// no position is lost, no buffer is used twice, and buffers that were taken are worked on
// again. Two things only the record knows: the position in a packed ring, and what a
// packed descriptor was before a used one was written over it.
//
// A store is the unit of a crash: all stores before it have been made, in the order of
// the program, and none after it. So the order is what makes the record true at every
// moment:
//
//   - A buffer is recorded as taken before its used descriptor is written, because after
//     that the ring does not say any more what the buffer was.
//   - The new position is stored before the used buffers become visible to the driver,
//     because the driver may change the ring as soon as they are.
//   - The old position is replaced after they became visible: as long as both positions
//     differ, the ring tells which of them is true.
//   - Buffers are marked as no longer taken before the old position is replaced, because
//     from then on nothing says that their mark is out of date.
//
// The peer can write to the record. It is read once, when a ring starts, and checked;
// after that the device only writes it, and goes by copies of its own.

// The beginning of the region of a queue, in both formats: le64 features, le16 version,
// le16 desc_num, and then 16-bit words that depend on the format.
const (
	inflightVersion = 1
	inflightHeader  = 8 // the word of version and desc_num
	inflightAlign   = 64
)

// InflightSize returns how many bytes record a ring of size descriptors. It is a multiple
// of 64.
func InflightSize(packed bool, size int) int {
	n := splitStates + splitState*size
	if packed {
		n = packedStates + packedState*size
	}
	return (n + inflightAlign - 1) &^ (inflightAlign - 1)
}

// inflight is the record of a virtqueue.
type inflight struct {
	queue   *queue
	mem     []byte
	counter uint64   // of the next buffer that is taken
	batch   []uint16 // entries of the buffers that were pushed and not flushed
	again   []taken  // buffers that a device before this one took and did not use
	next    int      // the first of again that has not been popped

	head    uint16   // split: last_batch_head
	free    uint16   // packed: the first free entry
	room    int      // packed: how many are free
	links   []link   // packed: what the entries say
	stale   []uint16 // packed: free entries that are still marked, until the ring starts
	kept    bool
	crash   func() // core.crash
	resumed bool   // it goes on with a record that was there
}

// errAnotherRing is a record that was kept of a ring that is not there any more.
var errAnotherRing = errors.New("the record is about another ring")

// link is what an entry of a packed ring says about other entries.
type link struct{ next, last, num uint16 }

// taken is a buffer that was taken before.
type taken struct {
	entry   uint16
	counter uint64
	id      uint16       // packed
	slots   []descriptor // packed
}

// record makes the record of a ring that starts at a position, or goes on with one that
// another device kept, for a ring that is there. It returns where the ring goes on: what
// is used next, and what is taken next. kept says that the record did not come from the
// peer: it is used only if the ring is the one that it is about.
func (q *queue) record(mem []byte, kept bool, at cursor) (used, next cursor, err error) {
	t := &inflight{queue: q, mem: mem, kept: kept, crash: q.dev.crash}
	head := load64(mem, inflightHeader)
	version, n := uint16(head), uint16(head>>16)
	switch {
	case version == 0:
	case version != inflightVersion && !kept:
		return at, at, fmt.Errorf("the record of buffers in flight has version %d, not 1", version)
	case n != q.size && !kept:
		return at, at, fmt.Errorf("the record of buffers in flight is one of %d descriptors", n)
	case version == inflightVersion && n == q.size:
		if used, next, err = t.recover(at); err == nil {
			q.track, t.resumed = t, true
			return used, next, nil
		}
		if !kept {
			return at, at, fmt.Errorf("the record of buffers in flight is damaged: %w", err)
		}
	}
	t.begin(at)
	q.track = t
	return at, at, nil
}

// begin begins a record.
func (t *inflight) begin(at cursor) {
	*t = inflight{queue: t.queue, mem: t.mem, crash: t.crash}
	// Without a version the rest means nothing.
	t.store(inflightHeader, 0)
	if t.queue.packed {
		t.beginPacked(at)
	} else {
		t.beginSplit(at)
	}
}

func (t *inflight) recover(at cursor) (used, next cursor, err error) {
	if t.queue.packed {
		return t.recoverPacked()
	}
	return t.recoverSplit(at)
}

// sort brings the buffers in flight into the order in which they were taken.
func (t *inflight) sort() {
	slices.SortStableFunc(t.again, func(a, b taken) int { return cmp.Compare(a.counter, b.counter) })
}

// take records that the device has taken a chain, unless it is recorded. Chains are taken in
// the order of the ring. It returns false if the device has failed.
func (t *inflight) take(c *chain) bool {
	if c.mark.tracked {
		return true
	}
	c.mark.tracked = true
	if t.queue.packed {
		return t.takePacked(c)
	}
	return t.takeSplit(c)
}

// use records that a chain is used, as soon as the batch is visible to the driver.
func (t *inflight) use(c *chain) bool {
	if !t.take(c) {
		return false
	}
	t.batch = append(t.batch, c.mark.entry)
	return true
}

// pop returns the next chain to c that was taken before, false if there is none.
func (t *inflight) pop(c *chain) (ok, found bool) {
	if t.next == len(t.again) {
		return false, false
	}
	k := &t.again[t.next]
	t.next++
	c.mark = mark{tracked: true, entry: k.entry, again: uint16(t.next)}
	if t.queue.packed {
		return t.queue.takenPacked(c, k), true
	}
	return t.queue.takenSplit(c, k.entry), true
}

// rewind returns c, and all chains popped after it, to those that pop returns.
func (t *inflight) rewind(c *chain) {
	if c.mark.again > 0 {
		t.next = int(c.mark.again) - 1
	}
}

// store writes a word of the record.
func (t *inflight) store(off int, v uint64) {
	if t.crash != nil {
		t.crash()
	}
	store64(t.mem, off, v)
}

// step is called before each store that matters to a device that takes the place of
// this one.
func (d *core) step() {
	if d.crash != nil {
		d.crash()
	}
}

func recorded16(b []byte, off int) uint16 { return binary.LittleEndian.Uint16(b[off:]) }
