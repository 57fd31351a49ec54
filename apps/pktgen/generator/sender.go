package generator

import (
	"math"
	"sync/atomic"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/pace"
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// reclaimRounds is after how many rounds without a packet a sender takes back what was
// sent, once and again and again.
const reclaimRounds = 256

// sender is the loop of one transmit queue over its streams. It belongs to a poller.
type sender struct {
	tx      *driver.TxQueue
	cache   *mbuf.Cache
	streams []*stream
	current *atomic.Pointer[trial] // the one to run

	seen    *trial // what current was in the last round
	trial   *trial // the last one that was begun; what came of it stays until the next
	running bool   // and it has not ended here
	first   int    // the stream that is served first in the next round
	idle    int    // rounds without a packet
	scale   uint64 // of the rates, as bits of a float64
	last    int64  // when packets were sent last
	// resumed is when the sender was polled first after the end of the trial.
	resumed int64
	calls   uint64 // of Burst that packets were sent with, in this trial
	behind  bool   // the queue was full, and not all that was due since then was sent

	// bufs[from:to] are filled and not sent. They belong to streams as parts says, of which
	// parts[part:] are not sent.
	bufs     []*mbuf.Buf
	from, to int
	parts    []part
	part     int
}

// part is packets of one stream that follow each other.
type part struct {
	stream  *stream
	packets int
	bytes   int
}

// stream is a Stream at its transmit queue.
type stream struct {
	config *Stream
	pacer  *pace.Pacer // of the trial that runs
	pps    float64     // its rate

	packets, bytes atomic.Uint64 // sent, since the generator was made
}

// poll makes a round: it sends what is due now, and reports whether that was anything.
func (s *sender) poll(now int64) bool {
	if t := s.current.Load(); t != s.seen {
		s.begin(t)
	}
	if !s.running {
		return s.rest()
	}
	if now >= s.trial.end || now >= s.trial.cut.Load() {
		return s.pollAfterEnd(now)
	}
	if scale := s.trial.scale.Load(); scale != s.scale {
		s.setScale(scale, now)
	}
	if !s.sendDue(now) {
		return s.rest()
	}
	return s.last == now
}

// sendDue offers what is due to the queue, kept packets first, and reports whether there was
// anything.
func (s *sender) sendDue(now int64) bool {
	if s.from < s.to && !s.offer(now) {
		return true
	}
	s.fill(now)
	if s.from == s.to {
		s.behind = false
		return false
	}
	s.idle = 0
	s.offer(now)
	return true
}

// pollAfterEnd is poll after the end of a trial, when what was due before is sent if that
// does not take long. One that was cut short ends at once.
func (s *sender) pollAfterEnd(now int64) bool {
	if now >= s.trial.end {
		s.resumed = min(s.resumed, now)
	}
	if now >= s.trial.cut.Load() || now >= s.resumed+s.trial.overrun || !s.sendDue(now) {
		s.finish(now)
		return false
	}
	return s.last == now
}

// took returns for how long the trial was sent here. A poller that the machine kept from
// running as the trial ended has not sent for longer, any more than one that was kept from
// it in the middle.
func (s *sender) took() int64 {
	waited := int64(0)
	if s.resumed != pace.Forever {
		waited = s.resumed - s.trial.end
	}
	return s.last - s.trial.start - waited
}

// fill fills packets of the streams that have some due, in turn, as many as a burst
// has room for.
func (s *sender) fill(now int64) {
	s.from, s.to, s.part, s.parts = 0, 0, 0, s.parts[:0]
	for i := range s.streams {
		at := s.first + i
		if at >= len(s.streams) {
			at -= len(s.streams)
		}
		stream := s.streams[at]
		due := stream.pacer.Due(now)
		if due == 0 {
			continue
		}
		room := len(s.bufs) - s.to
		if room == 0 {
			s.first = at
			return
		}
		s.fillFrom(stream, min(due, room), now)
	}
}

// fillFrom fills n packets of one stream.
func (s *sender) fillFrom(stream *stream, n int, now int64) {
	bufs := s.bufs[s.to:][:n]
	n = s.cache.Get(bufs)
	if n == 0 {
		return // they are still due
	}
	if s.behind {
		now = min(now, stream.pacer.Oldest())
	}
	bytes := stream.config.Source.Fill(bufs[:n], now)
	stream.pacer.Advance(n)
	s.to += n
	s.parts = append(s.parts, part{stream, n, bytes})
}

// offer offers the packets that are filled to the queue, and reports whether it took all.
func (s *sender) offer(now int64) bool {
	n := s.tx.Burst(s.bufs[s.from:s.to])
	s.from += n
	if n > 0 {
		s.calls++
		s.last = now
	}
	for n > 0 {
		p := &s.parts[s.part]
		if n < p.packets {
			s.splitPart(p, n)
			break
		}
		n -= p.packets
		p.stream.packets.Add(uint64(p.packets))
		p.stream.bytes.Add(uint64(p.bytes))
		s.part++
	}
	if s.from < s.to {
		s.behind = true
		return false
	}
	return true
}

// splitPart counts the first n packets of a part as sent. Only those that were not
// may be looked at.
func (s *sender) splitPart(p *part, n int) {
	left := 0
	for _, b := range s.bufs[s.from:][:p.packets-n] {
		left += b.PacketLen()
	}
	p.stream.packets.Add(uint64(n))
	p.stream.bytes.Add(uint64(p.bytes - left))
	p.packets, p.bytes = p.packets-n, left
}

// rest is a round without a packet. Now and then it takes back what was sent.
func (s *sender) rest() bool {
	if s.idle++; s.idle%reclaimRounds == 0 {
		s.tx.Reclaim()
	}
	return false
}

// begin begins a trial. The one before has ended.
func (s *sender) begin(t *trial) {
	s.drop() // nothing, unless the last one was given up
	s.seen, s.running = t, t != nil
	if t == nil {
		return
	}
	s.trial = t
	for i, p := range t.pacers[s] {
		s.streams[i].pacer = p
	}
	s.scale = t.scale.Load()
	s.first, s.behind, s.last, s.calls, s.resumed = 0, false, t.start, 0, pace.Forever
}

// setScale changes the rates of the trial that runs.
func (s *sender) setScale(scale uint64, now int64) {
	s.scale = scale
	for _, stream := range s.streams {
		if pps := stream.config.rate(math.Float64frombits(scale)); pps != stream.pps {
			stream.pps = pps
			_ = stream.pacer.SetPPS(pps, now) // it was checked
		}
	}
}

// finish ends the trial at this queue. What was filled and not sent is freed.
func (s *sender) finish(now int64) {
	s.running = false
	s.drop()
	now = min(now, s.trial.cut.Load()) // when it was cut short, however late that is seen
	for _, stream := range s.streams {
		stream.pacer.Finish(now)
	}
	s.trial.leave()
}

// drop frees what was filled and not sent.
func (s *sender) drop() {
	s.cache.Put(s.bufs[s.from:s.to])
	s.from, s.to, s.part, s.parts = 0, 0, 0, s.parts[:0]
}

// abandon deals with a memory fault, and reports whether it has. What was filled may have
// been sent or not, and is forgotten.
func (s *sender) abandon(cause error) bool {
	s.from, s.to, s.part, s.parts = 0, 0, 0, s.parts[:0]
	return s.tx.Abandon(cause)
}
