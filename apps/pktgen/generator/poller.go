package generator

// Poller is what one goroutine polls: transmit queues, receive queues and emulated
// devices.
type Poller struct {
	clock     Clock
	senders   []*sender
	devices   []func() int
	receivers []*receiver
}

// Poll makes one round, and reports whether there was a packet. It is the function that
// package lcore polls.
func (p *Poller) Poll() (busy bool) {
	if len(p.senders) == 0 {
		return p.poll(0)
	}
	return p.poll(p.clock.Now())
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
