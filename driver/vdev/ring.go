package vdev

// ring is a started virtqueue, in either format.
//
// The device pops chains, works on them, pushes the used ones and flushes: the
// flush makes all of them visible to the driver at once. Positions are private; a
// word of the shared areas is read once.
type ring struct {
	alive bool // the areas are known and the device may use them

	packed, indirect, eventIdx, inOrder bool

	mem  [3][]byte // the areas
	size uint16    // descriptors, 1 to 32768

	// at is where the next chain is. Of a split ring it is a free-running index
	// into the available ring, of a packed one an offset.
	at       cursor
	used     cursor // where the next used entry goes
	seen     uint16 // split: the driver's index when last read
	noNotify bool   // the driver was asked not to notify
	marked   cursor // used when an interrupt was last considered
	since    uint16 // entries used since then, packed: slots

	track   *inflight   // nil if no record is kept
	pending []usedEntry // pushed and not yet flushed
	dummy   uint32      // what fence works on
}

// cursor is a position in a ring. wrap is the wrap counter of a packed ring.
type cursor struct {
	off  uint16
	wrap bool
}

// usedEntry is a used chain, or a batch of them, before the driver sees it.
type usedEntry struct {
	id    uint16
	skip  uint16 // how far the used position moves: split chains, packed slots
	len   uint32 // bytes that the device wrote
	wrote bool   // the chain has writable parts, so that len means something
}

func (r *ring) close() { *r = ring{pending: r.pending[:0]} }

// pop takes the next chain that the driver made available. It returns false if
// there is none, or if what is there broke a rule: the device has failed then.
func (q *queue) pop(c *chain) bool {
	c.reset(q.at)
	if q.track != nil {
		c.mark = mark{}
		if ok, found := q.track.pop(c); found {
			return ok
		}
	}
	if q.packed {
		return q.popPacked(c)
	}
	return q.popSplit(c)
}

// rewind returns c and all chains popped after it to the ring.
func (q *queue) rewind(c *chain) {
	q.at = c.from
	if q.track != nil {
		q.track.rewind(c)
	}
}

// push marks a chain as used, with written bytes in its writable part.
func (q *queue) push(c *chain, written int) {
	if q.track != nil && !q.track.use(c) {
		return
	}
	q.pending = append(q.pending, usedEntry{id: c.id, skip: c.slots, len: uint32(written), wrote: len(c.segs) > c.readable})
}

// pushBatch marks chains as used that nothing was written to, with one entry
// for all of them: the last one's (2.7.9, 2.8.8). Only with IN_ORDER.
func (q *queue) pushBatch(chains []chain) {
	if len(chains) == 0 {
		return
	}
	e := usedEntry{id: chains[len(chains)-1].id}
	for i := range chains {
		if q.track != nil && !q.track.use(&chains[i]) {
			return
		}
		e.skip += chains[i].slots
	}
	q.pending = append(q.pending, e)
}

// flush makes the used chains visible to the driver and interrupts it if it asked
// for that.
func (q *queue) flush() {
	if len(q.pending) == 0 {
		return
	}
	for _, e := range q.pending {
		q.since += e.skip
	}
	switch {
	case q.track != nil && q.packed:
		q.track.flushPacked()
	case q.track != nil:
		q.track.flushSplit()
	case q.packed:
		q.flushPacked()
	default:
		q.flushSplit()
	}
	q.pending = q.pending[:0]
	q.interrupt()
}

// addressRule returns the rule that an address breaks which is not mapped: behind
// an IOMMU the mapping is missing, otherwise it is no memory (6.2).
func (q *queue) addressRule() string {
	if q.dev.cfg.Translated {
		return "basic/reserved/4"
	}
	return "basic/reserved/5"
}

// rule returns the number of a rule that both ring formats have.
func (r *ring) rule(split, packed string) string {
	if r.packed {
		return packed
	}
	return split
}
