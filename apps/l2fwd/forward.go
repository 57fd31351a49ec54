package main

import (
	"sync/atomic"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/frame"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/pollers"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/portset"
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// drainPeriod is how long a packet waits at most for others to be sent with.
const drainPeriod = 100 * time.Microsecond

// poller forwards for the queues that are dealt to it. It belongs to one
// goroutine; only the counters of its outputs are read by others.
type poller struct {
	lanes   []lane
	outs    []*output
	cache   *mbuf.Cache
	burst   int
	pending int             // packets that wait in outs
	uses    map[int]bool    // ports that it receives from or sends to
	devices portset.Devices // emulated ones behind them
	epoch   time.Time
	drained time.Duration // since epoch
	sleeper pollers.Sleeper
}

// lane is the way from a receive queue to a transmit queue.
type lane struct {
	rx  *driver.RxQueue
	out *output
}

// output collects the packets of a transmit queue until they are a burst.
type output struct {
	tx      *driver.TxQueue
	cache   *mbuf.Cache
	header  *frame.MAC // nil: addresses stay as they are
	bufs    []*mbuf.Buf
	n       int // bufs[:n] wait to be sent
	dropped atomic.Uint64
}

// poll makes one round over the queues and reports whether there was a packet.
// Received packets go straight to where they wait to be sent, addresses
// rewritten; a burst that is full is sent at once, the others when drainPeriod
// is over, and the clock is read only while packets wait.
func (p *poller) poll() bool {
	busy := false
	for i := range p.lanes {
		l := &p.lanes[i]
		o := l.out
		fresh := o.bufs[o.n : o.n+p.burst]
		fresh = fresh[:l.rx.Burst(fresh)]
		if len(fresh) == 0 {
			continue
		}
		busy = true
		if o.header != nil {
			o.header.Write(fresh)
		}
		o.n += len(fresh)
		p.pending += len(fresh)
		if o.n >= p.burst {
			p.pending -= o.flush()
		}
	}
	if p.pending > 0 {
		p.drain()
	}
	if p.devices.Any() {
		p.devices.Poll(busy)
	}
	return busy
}

// drain sends the packets that wait, if the last time was drainPeriod ago.
func (p *poller) drain() {
	now := time.Since(p.epoch)
	if now-p.drained < drainPeriod {
		return
	}
	p.drained = now
	p.flush()
}

// flush sends all packets that wait.
func (p *poller) flush() {
	for _, o := range p.outs {
		if o.n > 0 {
			p.pending -= o.flush()
		}
	}
}

// abandon has the queues deal with a memory fault, and reports whether one did. The
// packets that a transmit queue was about to send are lost.
func (p *poller) abandon(cause error) bool {
	handled := false
	for i := range p.lanes {
		handled = p.lanes[i].rx.Abandon(cause) || handled
	}
	for _, o := range p.outs {
		if o.tx.Abandon(cause) {
			handled = true
			p.pending -= o.n
			o.dropped.Add(uint64(o.n))
			o.n = 0
		}
	}
	return handled
}

// flush sends the packets that wait, drops those the queue has no room for, and
// returns how many packets both were.
func (o *output) flush() int {
	n := o.n
	sent := o.tx.Burst(o.bufs[:n])
	if sent < n {
		o.cache.Put(o.bufs[sent:n])
		o.dropped.Add(uint64(n - sent))
	}
	o.n = 0
	return n
}
