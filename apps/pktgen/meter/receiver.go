package meter

import (
	"encoding/binary"
	"sync"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// Receiver measures the packets that one port receives.
//
// Receive is for one goroutine at a time; the other methods may be called from any
// goroutine, also while it runs.
type Receiver struct {
	sides   sides
	streams []*stream // by number; nil: not measured
	fast    []*stream // the same, without those that have not only to be counted
	trial   *trial    // that the windows are of
	others  [2]others // by side
	tail    [traffic.SignatureLen]byte

	config   Config
	scratch  []byte // for packets of several segments that are verified; nil: none are
	examples [2][kinds]Example

	mu     sync.Mutex // of readers
	all    []*stream  // in the order of the configuration
	totals Snapshot   // of the trial, as of the last reading
	unique uint64     // packets of the trials before
}

// stream is what the receiver holds of a stream.
type stream struct {
	window  window
	counts  [2]Counts // by side
	latency *latency  // nil: not recorded
	config  Stream
}

// maxPacket is the longest packet that is verified as a whole.
const maxPacket = 1 << 17

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
	r := &Receiver{config: c, streams: make([]*stream, last+1), fast: make([]*stream, last+1)}
	if c.Verify != (Verify{}) {
		r.scratch = make([]byte, maxPacket)
		for i := range r.examples {
			for k := range r.examples[i] {
				r.examples[i][k].Frame = make([]byte, 0, exampleLen)
			}
		}
	}
	for _, s := range c.Streams {
		st := &stream{config: s, window: newWindow(s.ID, size)}
		if s.Latency {
			st.latency = newLatency()
		} else if r.scratch == nil {
			r.fast[s.ID] = st
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
	// Deferred, because a packet may be in memory that another process takes away:
	// after the fault, readers do not wait.
	defer r.sides.leave()
	if side.trial != r.trial {
		r.begin(side.trial)
	}
	for index := side.index & 1; len(bufs) > 0; {
		n := receiveInOrder(r.fast, bufs, index)
		if n < len(bufs) {
			r.receive(bufs[n], index, now)
			n++
		}
		bufs = bufs[n:]
	}
}

// receiveInOrder counts packets, up to the first one that is not the next expected one of
// a stream whose packets have only to be counted, and returns how many that were. What
// packets of one stream in a row add to its counters is written after the last of them.
func receiveInOrder(streams []*stream, bufs []*mbuf.Buf, side int) int {
	var s *stream
	var expect, bytes uint64
	for i, b := range bufs {
		data := b.Data()
		if len(data) < traffic.SignatureLen || b.Next() != nil {
			s.advance(expect, bytes, side)
			return i
		}
		first := binary.BigEndian.Uint64(data[len(data)-traffic.SignatureLen:])
		if first != expect || uint32(first) == 0 { // after the wrap, expect is of another stream
			s.advance(expect, bytes, side)
			if id := int(uint16(first >> 32)); id < len(streams) {
				s = streams[id]
			} else {
				s = nil
			}
			if s == nil || first != s.window.expect {
				return i
			}
			expect, bytes = first, 0
		}
		expect++
		bytes += uint64(len(data))
	}
	s.advance(expect, bytes, side)
	return len(bufs)
}

// advance counts packets in order, up to before the one with the signature expect.
func (s *stream) advance(expect, bytes uint64, side int) {
	if s == nil {
		return
	}
	n := expect - s.window.expect
	s.window.advance(n)
	c := &s.counts[side]
	c.InOrder += n
	c.Bytes += bytes
}

// receive measures any packet.
func (r *Receiver) receive(b *mbuf.Buf, side int, now int64) {
	tail := b.Data()
	n := len(tail)
	if b.Next() != nil {
		tail, n = r.gather(b)
	}
	sig, ok := traffic.ReadSignature(tail)
	if !ok {
		r.others[side].unknown.count(n)
		return
	}
	if int(sig.Stream) >= len(r.streams) || r.streams[sig.Stream] == nil {
		r.others[side].invalid.count(n)
		return
	}
	s := r.streams[sig.Stream]
	c := &s.counts[side]
	c.Bytes += uint64(n)
	if r.scratch != nil && !r.verify(b, s, side, now) {
		return
	}
	if s.window.receive(sig.Sequence, c) && s.latency != nil {
		s.latency.record(side, now-sig.Time)
	}
}

// gather returns the end of a packet of several segments, and the length of the packet.
func (r *Receiver) gather(b *mbuf.Buf) (tail []byte, n int) {
	n = b.PacketLen()
	skip := max(n-traffic.SignatureLen, 0)
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
