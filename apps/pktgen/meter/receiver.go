package meter

import (
	"sync"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// Receiver measures the packets that one port receives.
//
// Receive is for one goroutine at a time; the other methods may be called from any
// goroutine, also while it runs.
type Receiver struct {
	sides   sides
	streams []*stream // by number; nil: not measured
	trial   *trial    // that the windows are of
	others  [2]others // by side
	tail    [signatureLen]byte

	mu     sync.Mutex // of readers
	all    []*stream  // in the order of the configuration
	totals Snapshot   // of the trial, as of the last reading
}

// stream is what the receiver holds of a stream.
type stream struct {
	window  window
	counts  [2]Counts // by side
	latency *latency  // nil: not recorded
	config  Stream
}

// others are packets that are of no stream.
type others struct{ unknown, invalid Tally }

// New returns a Receiver. Its first trial has begun, with number 0 of each stream.
func New(c Config) (*Receiver, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	size := c.Window
	if size == 0 {
		size = DefaultWindow
	}
	last := -1
	for _, s := range c.Streams {
		last = max(last, int(s.ID))
	}
	r := &Receiver{streams: make([]*stream, last+1)}
	for _, s := range c.Streams {
		st := &stream{config: s, window: newWindow(size)}
		if s.Latency {
			st.latency = newLatency()
		}
		r.streams[s.ID] = st
		r.all = append(r.all, st)
	}
	t := &trial{first: make([]uint32, len(r.all))}
	r.begin(t)
	r.sides.current.Store(&side{trial: t})
	r.clearTotals(t)
	return r, nil
}

// begin makes the windows those of a trial.
func (r *Receiver) begin(t *trial) {
	r.trial = t
	for i, s := range r.all {
		s.window.begin(t.first[i])
		if s.latency != nil {
			s.latency.begin()
		}
	}
}

// Receive measures packets that were received at the time now, in nanoseconds of the
// clock that their signatures are of. The packets remain the caller's.
func (r *Receiver) Receive(bufs []*mbuf.Buf, now int64) {
	if len(bufs) == 0 {
		return
	}
	side := r.sides.enter()
	if side.trial != r.trial {
		r.begin(side.trial)
	}
	index := side.index & 1
	for _, b := range bufs {
		r.receive(b, index, now)
	}
	r.sides.leave()
}

// receive measures one packet.
func (r *Receiver) receive(b *mbuf.Buf, side int, now int64) {
	tail, n := b.Data(), b.Len()
	if b.Next() != nil {
		tail, n = r.gather(b)
	}
	if len(tail) < signatureLen {
		r.others[side].unknown.count(n)
		return
	}
	tail = tail[len(tail)-signatureLen:]
	id, seq, ok := parseSignature(tail)
	if !ok {
		r.others[side].unknown.count(n)
		return
	}
	if int(id) >= len(r.streams) || r.streams[id] == nil {
		r.others[side].invalid.count(n)
		return
	}
	s := r.streams[id]
	c := &s.counts[side]
	c.Bytes += uint64(n)
	if w := &s.window; seq == uint32(w.next) {
		w.advance()
		c.InOrder++
	} else if !w.slow(seq, c) {
		return
	}
	if s.latency != nil {
		s.latency.record(side, now, tail)
	}
}

// gather returns the end of a packet of several segments, and the length of the packet.
func (r *Receiver) gather(b *mbuf.Buf) (tail []byte, n int) {
	n = b.PacketLen()
	skip := max(n-signatureLen, 0)
	tail = r.tail[:0]
	for s := range b.Segments() {
		d := s.Data()
		if skip >= len(d) {
			skip -= len(d)
			continue
		}
		tail = append(tail, d[skip:]...)
		skip = 0
	}
	return tail, n
}
