package meter

import "slices"

// Snapshot is what a receiver has received in a trial, as of one moment.
type Snapshot struct {
	Trial   int // how many were begun before it
	Streams []StreamSnapshot
	Unknown Tally // without a signature
	Invalid Tally // with the signature of a stream that is not measured
	// Examples are the first corrupt packet of each kind.
	Examples []Example
}

// StreamSnapshot is what was received of one stream.
type StreamSnapshot struct {
	ID   uint16
	Name string
	Counts
	Latency *Latency // nil if it is not recorded
}

// Packets returns how many packets were received: the sum of all counts.
func (s *Snapshot) Packets() uint64 {
	n := s.Unknown.Packets + s.Invalid.Packets
	for i := range s.Streams {
		n += s.Streams[i].Packets()
	}
	return n
}

// Bytes returns how many bytes the packets have.
func (s *Snapshot) Bytes() uint64 {
	n := s.Unknown.Bytes + s.Invalid.Bytes
	for i := range s.Streams {
		n += s.Streams[i].Bytes
	}
	return n
}

// clone returns a copy that shares nothing with s.
func (s *Snapshot) clone() Snapshot {
	c := *s
	c.Streams = slices.Clone(s.Streams)
	c.Examples = slices.Clone(s.Examples) // of which nothing is changed any more
	for i := range c.Streams {
		if l := c.Streams[i].Latency; l != nil {
			c.Streams[i].Latency = l.clone()
		}
	}
	return c
}

// Snapshot returns what was received in the trial so far.
func (r *Receiver) Snapshot() Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drain(r.sides.change(r.sides.current.Load().trial))
	return r.totals.clone()
}

// Unique returns how many packets were received of all streams and trials that were neither
// duplicates nor stale, late or corrupt. It is for waiting until all that were sent have
// arrived, and costs less than a Snapshot.
func (r *Receiver) Unique() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drain(r.sides.change(r.sides.current.Load().trial))
	return r.unique + r.totals.unique()
}

// unique returns the sum of what is unique of each stream.
func (s *Snapshot) unique() (n uint64) {
	for i := range s.Streams {
		n += s.Streams[i].Unique()
	}
	return n
}

// Begin ends a trial and begins the next one, and returns what was received in the one
// that ends. first has the sequence number of the first packet that each stream sends
// in the new trial; streams that are not in it begin with 0. No such packet may be sent
// before Begin returns.
func (r *Receiver) Begin(first map[uint16]uint32) Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := &trial{number: r.totals.Trial + 1, first: make([]uint32, len(r.all))}
	for i, s := range r.all {
		t.first[i] = first[s.config.ID]
	}
	r.drain(r.sides.change(t))
	ended := r.totals
	r.unique += ended.unique()
	r.clearTotals(t)
	return ended
}

// clearTotals makes the totals those of a trial that begins.
func (r *Receiver) clearTotals(t *trial) {
	r.totals = Snapshot{Trial: t.number, Streams: make([]StreamSnapshot, len(r.all))}
	for i, s := range r.all {
		r.totals.Streams[i] = StreamSnapshot{ID: s.config.ID, Name: s.config.Name}
		if s.latency != nil {
			r.totals.Streams[i].Latency = newSummary()
		}
	}
}

// drain adds the counters of a side that the receiver has left to the totals and clears
// them.
func (r *Receiver) drain(side int) {
	o := &r.others[side]
	r.totals.Unknown.add(o.unknown)
	r.totals.Invalid.add(o.invalid)
	*o = others{}
	for k := range r.examples[side] {
		e := &r.examples[side][k]
		if e.What != "" && !slices.ContainsFunc(r.totals.Examples, func(x Example) bool { return x.Kind == e.Kind }) {
			r.totals.Examples = append(r.totals.Examples, e.clone())
		}
		e.clear()
	}
	for i, s := range r.all {
		total := &r.totals.Streams[i]
		total.add(&s.counts[side])
		s.counts[side] = Counts{}
		if s.latency != nil {
			total.Latency.add(&s.latency.sides[side])
			s.latency.sides[side].clear()
		}
	}
}
