package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/frame"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/pollers"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/portset"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/session"
	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// run forwards until ctx ends, a port fails or a poller does.
func (p *plan) run(ctx context.Context, stdout, stderr io.Writer) error {
	for _, name := range p.skipped {
		fmt.Fprintf(stderr, "l2fwd: no pair of --portmap names port %s: it is not used\n", name)
	}
	return p.session().Run(ctx, stdout, stderr)
}

// session describes the run of the plan. The pollers also poll the emulated
// devices, so that a port between two of them takes one CPU and not three, unless the pollers
// sleep: then the devices have to wake them.
func (p *plan) session() *session.Session {
	return &session.Session{
		App: "l2fwd", Options: p.options, Ports: p.ports, PollDevices: p.idle == 0, Cables: p.cables, Open: p.open,
		Prepare: func(set *portset.Set) (session.Work, error) {
			f, err := newForwarder(p, set)
			if err != nil {
				return session.Work{}, err
			}
			work := session.Work{End: f.finish, Dropped: f.dropped}
			for _, poller := range f.pollers {
				one := pollers.Poller{Poll: poller.poll, Abandon: poller.abandon}
				if p.idle > 0 {
					one.Sleep = lcore.Sleep{Idle: p.idle, Wait: poller.sleeper.Wait}
				}
				work.Pollers = append(work.Pollers, one)
			}
			return work, nil
		},
	}
}

// forwarder is the pollers of a plan over its open ports.
type forwarder struct {
	plan    *plan
	set     *portset.Set
	pollers []*poller
	outs    [][]*output // per port, those that transmit on it
}

// newForwarder deals the ports out to pollers, in turn: all queues of a port to
// one, so that a transmit queue, to which only one port sends, has one owner.
func newForwarder(p *plan, set *portset.Set) (*forwarder, error) {
	f := &forwarder{plan: p, set: set, outs: make([][]*output, len(set.Ports))}
	for _, cache := range set.Caches {
		f.pollers = append(f.pollers, &poller{
			burst: p.options.Burst, cache: cache, epoch: time.Now(), uses: map[int]bool{},
		})
	}
	for i := range set.Ports {
		if err := f.deal(i, f.pollers[i%len(f.pollers)]); err != nil {
			return nil, err
		}
	}
	devices := set.Devices(func(i, port int) bool { return f.pollers[i].uses[port] })
	for i, p := range f.pollers {
		p.devices, p.sleeper.Flush = devices[i], p.flush
	}
	return f, nil
}

// deal gives the queues of port i, and those its packets leave by, to a poller.
func (f *forwarder) deal(i int, p *poller) error {
	in, to := f.set.Ports[i], f.plan.to[i]
	out := f.set.Ports[to]
	var header *frame.MAC
	if f.plan.updateMACs {
		header = frame.NewMAC(f.plan.ports[to].Number, out.MAC())
	}
	p.uses[i], p.uses[to] = true, true
	var outs []*output
	for q := range out.Queues() {
		tx := out.TxQueue(q)
		if err := tx.SetCache(p.cache); err != nil {
			return err
		}
		// Room for a burst behind one that is not quite full.
		bufs := make([]*mbuf.Buf, 2*p.burst)
		p.sleeper.Tx = append(p.sleeper.Tx, tx)
		outs = append(outs, &output{tx: tx, cache: p.cache, header: header, bufs: bufs})
	}
	for q := range in.Queues() {
		rx := in.RxQueue(q)
		if err := rx.SetCache(p.cache); err != nil {
			return err
		}
		p.sleeper.Rx = append(p.sleeper.Rx, rx)
		p.lanes = append(p.lanes, lane{rx: rx, out: outs[q%len(outs)]})
	}
	p.outs = append(p.outs, outs...)
	f.outs[to] = outs
	return nil
}

// finish sends the packets that wait after the last poll. Emulated devices are
// polled until they have taken them, so that a recording is complete; a real device
// takes them while the ports close.
func (f *forwarder) finish() {
	for _, p := range f.pollers {
		p.flush()
		p.sleeper.Close()
	}
	for _, p := range f.pollers {
		p.devices.Drain()
	}
}

// dropped returns how many packets found each queue of port i full.
func (f *forwarder) dropped(i int) []uint64 {
	var list []uint64
	for _, o := range f.outs[i] {
		list = append(list, o.dropped.Load())
	}
	return list
}
