package generator

import (
	"math"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// begin begins a trial whose pollers the test polls itself, at times of its choice.
func (r *rig) begin(t testing.TB, run Run) *trial {
	t.Helper()
	run.complete()
	tr, err := r.newTrial(&run)
	if err != nil {
		t.Fatal(err)
	}
	r.current.Store(tr)
	return tr
}

// ended reports whether all senders have ended a trial.
func (t *trial) ended() bool {
	select {
	case <-t.over:
		return true
	default:
		return false
	}
}

// packets returns what was sent of the streams of the first port.
func (r *rig) packets(stream int) uint64 {
	n, _ := r.Sent(0, stream)
	return n
}

// TestRatesInVirtualTime polls every 700 ns for a second that is none: at all times what
// is due has been sent, but for a quantum, and in the end the packets are exactly
// those of the rate.
func TestRatesInVirtualTime(t *testing.T) {
	rates := []float64{1e3, 1e5, 1e6}
	r := newRig(t, 1, []string{"emu:null"}, func(c *Config) {
		for _, pps := range rates {
			c.Ports[0].Streams = append(c.Ports[0].Streams, Stream{Source: &counter{length: 60}, PPS: pps})
		}
	})
	const second = int64(time.Second)
	tr := r.begin(t, Run{Duration: time.Second})
	p := r.Pollers()[0]
	for now := tr.start; !tr.ended(); now += 700 {
		p.poll(now)
		for i, pps := range rates {
			begin := int64(1e9 / pps * float64(i) / float64(len(rates))) // one stream after the other
			due := float64(min(now-tr.start, second-1)-begin) * pps / 1e9
			if due < 0 && r.packets(i) == 0 {
				continue
			}
			if sent := float64(r.packets(i)); sent > due+1 || sent < due-2 {
				t.Fatalf("%v pps: %v packets after %d ns, when %v were due", pps, sent, now-tr.start, due)
			}
		}
	}
	for i, pps := range rates {
		pacer := r.streams[0][i].pacer
		if n := r.packets(i); n != uint64(pps) || pacer.Intended() != n || pacer.Missed() != 0 {
			t.Errorf("%v pps: %d packets in a second, %d intended", pps, n, pacer.Intended())
		}
	}
}

// TestPauseAcrossTheEnd polls before the end of a trial and then long after it: what was due
// is sent, and the pause does not count as time that sending took.
func TestPauseAcrossTheEnd(t *testing.T) {
	r := newRig(t, 1, []string{"emu:null"}, func(c *Config) {
		c.Ports[0].Streams = []Stream{{Source: &counter{length: 60}, PPS: 1e6}}
	})
	const ms = int64(time.Millisecond)
	tr := r.begin(t, Run{Duration: 10 * time.Millisecond})
	p := r.Pollers()[0]
	for now := tr.start; now < tr.start+8*ms; now += 1000 {
		p.poll(now)
	}
	after := tr.start + 30*ms
	rounds := int64(0)
	for ; !tr.ended(); rounds++ {
		p.poll(after + rounds*1000)
	}
	// The 2000 packets that are left take 63 bursts, and one round more finds nothing.
	if n := r.packets(0); n != 10000 || rounds != 64 {
		t.Errorf("%d packets sent, in %d rounds after the end", n, rounds)
	}
	if took := r.senders[0].took(); took != 10*ms+62*1000 {
		t.Errorf("it took %d ns", took)
	}
}

// TestOverload has a sender that gets to send half of what is due: it goes on for a tenth of
// the time and no longer, which does count.
func TestOverload(t *testing.T) {
	r := newRig(t, 1, []string{"emu:null"}, func(c *Config) {
		c.Ports[0].Streams = []Stream{{Source: &counter{length: 60}, PPS: 1e6}}
	})
	tr := r.begin(t, Run{Duration: 10 * time.Millisecond})
	for now := tr.start; !tr.ended(); now += 64_000 {
		r.Pollers()[0].poll(now)
	}
	took := r.senders[0].took()
	if took < int64(10900*time.Microsecond) || took > int64(11*time.Millisecond) {
		t.Errorf("it took %d ns", took)
	}
	if rate := float64(r.packets(0)) / float64(took) * 1e9; math.Abs(rate/5e5-1) > 0.02 {
		t.Errorf("%v packets a second", rate)
	}
}

// TestStreamsOfARateAlternate finds the packets of four streams evenly apart.
func TestStreamsOfARateAlternate(t *testing.T) {
	sink := &stamps{}
	r := newRig(t, 1, []string{"emu:cable=a", "emu:cable=a"}, func(c *Config) {
		for range 4 {
			c.Ports[0].Streams = append(c.Ports[0].Streams, Stream{Source: &counter{length: 60}, PPS: 1e5})
		}
		c.Ports[1].Receiver = sink
	})
	tr := r.begin(t, Run{Duration: time.Millisecond})
	for now := tr.start; !tr.ended(); now += 100 {
		r.Pollers()[0].poll(now)
	}
	for range 10 {
		r.Pollers()[0].poll(tr.start + int64(time.Second))
	}
	if len(sink.times) != 400 {
		t.Fatalf("%d packets", len(sink.times))
	}
	for i, at := range sink.times {
		if at != tr.start+int64(i)*2500 || sink.numbers[i] != uint64(i/4) {
			t.Fatalf("packet %d of all, %d of its stream, was sent at %d ns", i, sink.numbers[i], at-tr.start)
		}
	}
}

// TestKeepsWhatTheQueueRefuses has a device that takes nothing for a while: what was
// filled is offered again, in order, and carries the time at which it was due.
func TestKeepsWhatTheQueueRefuses(t *testing.T) {
	const period = 1000 // ns
	sink := &stamps{}
	r := newRig(t, 1, []string{"emu:cable=a", "emu:cable=a"}, func(c *Config) {
		c.Ports[0].Streams = []Stream{{Source: &counter{length: 60}, PPS: 1e9 / period}}
		c.Ports[1].Receiver = sink
	})
	tr := r.begin(t, Run{Duration: 2 * time.Millisecond})
	p := r.Pollers()[0]
	devices := p.devices
	p.devices = nil
	now := tr.start
	for ; now < tr.start+int64(time.Millisecond); now += period {
		p.poll(now)
	}
	if n := r.packets(0); n != 256 {
		t.Fatalf("%d packets went to a ring of 256 that the device ignores", n)
	}
	p.devices = devices
	for ; !tr.ended() || len(sink.times) < 2000; now += period {
		if p.poll(now); now > tr.start+int64(time.Second) {
			t.Fatalf("%d packets arrived", len(sink.times))
		}
	}
	for i, at := range sink.times {
		due := tr.start + int64(i)*period
		if sink.numbers[i] != uint64(i) {
			t.Fatalf("packet %d is number %d", i, sink.numbers[i])
		}
		// A packet is late by a quantum, and by a burst where the queue was full.
		if at < due-32*period || at > due+32*period {
			t.Fatalf("packet %d, due at %d, is stamped %d ns later", i, due, at-due)
		}
	}
}

// stamps is a Receiver that notes what a counter wrote.
type stamps struct {
	numbers []uint64
	times   []int64
}

func (s *stamps) Receive(bufs []*mbuf.Buf, _ int64) {
	for _, b := range bufs {
		n, at := readCounter(b)
		s.numbers, s.times = append(s.numbers, n), append(s.times, at)
	}
}

// lengths is a Source of frames of different lengths.
type lengths struct{ n int }

func (l *lengths) Fill(bufs []*mbuf.Buf, _ int64) (bytes int) {
	for _, b := range bufs {
		n := 60 + l.n%100
		l.n++
		clear(b.Append(n))
		bytes += n
	}
	return bytes
}

// TestCountsPartsOfABurst compares the counters of streams that share a queue, of which
// bursts are taken in part, with what arrives.
func TestCountsPartsOfABurst(t *testing.T) {
	sink := &tally{}
	r := newRig(t, 1, []string{"emu:cable=a", "emu:cable=a"}, func(c *Config) {
		c.Burst = 24 // does not divide the ring
		for range 3 {
			c.Ports[0].Streams = append(c.Ports[0].Streams, Stream{Source: &lengths{}, PPS: math.Inf(1)})
		}
		c.Ports[1].Receiver = sink
	})
	tr := r.begin(t, Run{Duration: time.Millisecond})
	p := r.Pollers()[0]
	devices := p.devices
	for i, now := 0, tr.start; !tr.ended(); i, now = i+1, now+1000 {
		p.devices = nil
		if i%30 > 20 { // the queue is full now and then
			p.devices = devices
		}
		p.poll(now)
	}
	p.devices = devices
	for range 100 {
		p.poll(tr.start + int64(time.Second))
	}
	var packets, bytes uint64
	for i := range 3 {
		n, b := r.Sent(0, i)
		if n < 1000 {
			t.Errorf("stream %d sent %d packets", i, n)
		}
		packets, bytes = packets+n, bytes+b
	}
	if packets != sink.packets || bytes != sink.bytes {
		t.Errorf("sent %d packets and %d bytes, received %d and %d", packets, bytes, sink.packets, sink.bytes)
	}
}

// tally is a Receiver that counts.
type tally struct{ packets, bytes uint64 }

func (s *tally) Receive(bufs []*mbuf.Buf, _ int64) {
	for _, b := range bufs {
		s.packets++
		s.bytes += uint64(b.Len())
	}
}

// TestStreamsTakeTurns has two streams without limit, which share the queue equally, and a
// slow one, which gets all that it asks for.
func TestStreamsTakeTurns(t *testing.T) {
	r := newRig(t, 1, []string{"emu:null"}, func(c *Config) {
		for _, pps := range []float64{math.Inf(1), math.Inf(1), 1e5} {
			c.Ports[0].Streams = append(c.Ports[0].Streams, Stream{Source: &counter{length: 60}, PPS: pps})
		}
	})
	tr := r.begin(t, Run{Duration: 10 * time.Millisecond})
	for now := tr.start; !tr.ended(); now += 1000 {
		r.Pollers()[0].poll(now)
	}
	a, b, slow := r.packets(0), r.packets(1), r.packets(2)
	if diff := max(a, b) - min(a, b); diff > a/20 {
		t.Errorf("%d packets of one, %d of the other", a, b)
	}
	if slow != 1000 {
		t.Errorf("%d of the slow stream's 1000 packets", slow)
	}
}

// TestSentBuffersComeBack finds all buffers in the pool after some idle rounds.
func TestSentBuffersComeBack(t *testing.T) {
	r := newRig(t, 1, []string{"emu:null"}, func(c *Config) {
		c.Ports[0].Streams = []Stream{{Source: &counter{length: 60}, PPS: 1e6}}
	})
	tr := r.begin(t, Run{Duration: 100 * time.Microsecond})
	now := tr.start
	for ; !tr.ended(); now += 1000 {
		r.Pollers()[0].poll(now)
	}
	if r.packets(0) != 100 {
		t.Fatalf("%d packets", r.packets(0))
	}
	for range reclaimRounds {
		now += 1000
		r.Pollers()[0].poll(now)
	}
	if posted := r.config.Ports[0].Port.TxQueue(0).Stats().Posted; posted != 0 {
		t.Errorf("%d buffers are still in the transmit queue", posted)
	}
}

func TestPollAllocatesNothing(t *testing.T) {
	r := newRig(t, 1, []string{"emu:cable=a", "emu:cable=a"}, func(c *Config) {
		for _, pps := range []float64{1e6, math.Inf(1), 1e3} {
			c.Ports[0].Streams = append(c.Ports[0].Streams, Stream{Source: &counter{length: 60}, PPS: pps})
		}
		c.Ports[1].Receiver = &checker{}
	})
	tr := r.begin(t, Run{Duration: time.Hour})
	now := tr.start
	poll := func() {
		r.Pollers()[0].poll(now)
		now += 1000
	}
	for range 1000 {
		poll()
	}
	if n := testing.AllocsPerRun(1000, poll); n != 0 {
		t.Errorf("%v allocations a round", n)
	}
}

// TestScaleInVirtualTime changes the scale while a trial runs: load follows, a constant
// stream does not.
func TestScaleInVirtualTime(t *testing.T) {
	r := newRig(t, 1, []string{"emu:null"}, func(c *Config) {
		c.Ports[0].Streams = []Stream{
			{Source: &counter{length: 60}, PPS: 1e5}, {Source: &counter{length: 60}, PPS: 1e4, Constant: true}}
	})
	tr := r.begin(t, Run{Duration: 40 * time.Millisecond, Scale: 2})
	if err := r.SetScale(0); err == nil {
		t.Error("a scale of 0 was taken")
	}
	for now := tr.start; !tr.ended(); now += 1000 {
		if now == tr.start+int64(20*time.Millisecond) {
			if n := r.packets(0); n != 4000 {
				t.Errorf("%d packets in 20 ms at scale 2", n)
			}
			if err := r.SetScale(0.5); err != nil {
				t.Fatal(err)
			}
		}
		r.Pollers()[0].poll(now)
	}
	if load, probe := r.packets(0), r.packets(1); load < 4999 || load > 5001 || probe != 400 {
		t.Errorf("%d packets of the load and %d probes", load, probe)
	}
}
