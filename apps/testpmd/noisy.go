package main

import (
	"math/rand/v2"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// noisyConfig is what noisy does beside forwarding, as a network function would: it holds packets
// back, and reads and writes memory for each.
type noisyConfig struct {
	buffer          int           // packets that are held back
	flush           time.Duration // for how long at most, 0 for no limit
	megabytes       int           // of memory
	writes, reads   int           // of 64 bytes at random places, for each packet
	readsThenWrites int           // ... of which what was read is written
}

// line is what a CPU takes from memory at once.
const line = 64

// noisy forwards packets after some work.
type noisy struct {
	*stream
	config noisyConfig
	held   []*mbuf.Buf // a ring of those that wait
	first  int         // of them
	n      int
	memory [][line]byte
	random *rand.Rand
	since  time.Time // the last packet was sent, or held
	sum    byte      // of what was read, so that reading is not left out
}

func newNoisy(s *stream, p *plan) func() bool {
	n := &noisy{stream: s, config: p.noisy, held: make([]*mbuf.Buf, p.noisy.buffer),
		random: rand.New(rand.NewPCG(uint64(s.from), uint64(s.rxQueue)))}
	if p.noisy.writes+p.noisy.reads+p.noisy.readsThenWrites > 0 {
		n.memory = make([][line]byte, max(p.noisy.megabytes, 1)<<20/line)
	}
	s.held = n
	return n.burst
}

func (n *noisy) burst() bool {
	got := n.receive()
	for range got {
		n.work()
	}
	if len(n.held) == 0 {
		if len(got) > 0 {
			n.send(len(got))
		}
		return len(got) > 0
	}
	if len(got) == 0 {
		return n.late()
	}
	return n.hold(got)
}

// work reads and writes memory for one packet.
func (n *noisy) work() {
	if len(n.memory) == 0 {
		return
	}
	for range n.config.writes {
		n.memory[n.random.IntN(len(n.memory))][0] = n.sum
	}
	for range n.config.reads {
		n.sum += n.memory[n.random.IntN(len(n.memory))][0]
	}
	for range n.config.readsThenWrites {
		n.memory[n.random.IntN(len(n.memory))][0]++
	}
}

// hold puts a burst behind the packets that wait, and sends as many of those as there is no room
// for.
func (n *noisy) hold(got []*mbuf.Buf) bool {
	var arrived [maxHeld]*mbuf.Buf
	count := copy(arrived[:], got)
	leave := min(max(n.n+count-len(n.held), 0), n.n)
	direct := max(count-len(n.held), 0) // a burst longer than all that may wait
	out := n.take(leave)
	for _, b := range arrived[:direct] {
		n.bufs[out] = b
		out++
	}
	for _, b := range arrived[direct:count] {
		n.held[(n.first+n.n)%len(n.held)] = b
		n.n++
	}
	n.since = time.Now()
	if out > 0 {
		n.send(out)
	}
	return true
}

// maxHeld is the longest burst.
const maxHeld = command.MaxBurst

// take moves packets that wait to the front of the burst and returns how many.
func (n *noisy) take(count int) int {
	for i := range count {
		n.bufs[i] = n.held[n.first]
		n.held[n.first] = nil
		n.first = (n.first + 1) % len(n.held)
	}
	n.n -= count
	return count
}

// late sends a burst of the packets that wait, if none has come for as long as they may.
func (n *noisy) late() bool {
	if n.n == 0 || n.config.flush == 0 || time.Since(n.since) < n.config.flush {
		return false
	}
	n.send(n.take(min(n.n, len(n.bufs))))
	return true
}

// release sends what waits, at the end of a run.
func (n *noisy) release() {
	for n.n > 0 {
		n.send(n.take(min(n.n, len(n.bufs))))
	}
}
