package generator

import "sync/atomic"

// Poller is what one goroutine polls: transmit queues, receive queues and emulated
// devices.
type Poller struct {
	clock     Clock
	senders   []*sender
	devices   []func() int
	receivers []*receiver

	asked    atomic.Uint32 // to say when a round has been made, once for each number
	answered atomic.Uint32 // the last number before the last round
	seen     uint32        // ... as the poller knows it
}

// Poll makes one round, and reports whether there was a packet. It is the function that
// package lcore polls.
func (p *Poller) Poll() (busy bool) {
	asked, now := p.asked.Load(), int64(0)
	if len(p.senders) > 0 {
		now = p.clock.Now()
	}
	busy = p.poll(now)
	if asked != p.seen {
		p.seen = asked
		p.answered.Store(asked)
	}
	return busy
}

// askRound has all pollers say when they have made another round, unless one has not yet done
// so since the last call. It reports whether it did.
func (g *Generator) askRound() bool {
	for _, p := range g.pollers {
		if p.answered.Load() != p.asked.Load() {
			return false
		}
	}
	for _, p := range g.pollers {
		p.asked.Add(1)
	}
	return true
}

// poll is Poll at a time.
func (p *Poller) poll(now int64) (busy bool) {
	for _, s := range p.senders {
		if s.poll(now) {
			busy = true
		}
	}
	for _, device := range p.devices {
		device()
	}
	for _, r := range p.receivers {
		if r.poll() {
			busy = true
		}
	}
	return busy
}

// Abandon deals with a memory fault in Poll, as that of package poll does.
func (p *Poller) Abandon(cause error) bool {
	handled := false
	for _, s := range p.senders {
		handled = s.abandon(cause) || handled
	}
	for _, r := range p.receivers {
		handled = r.abandon(cause) || handled
	}
	return handled
}
