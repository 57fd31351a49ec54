package driver

import (
	"errors"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/gate"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

const (
	// statusPeriod is how often the device status is read. A device announces
	// DEVICE_NEEDS_RESET by a configuration interrupt, which it may not have
	// or lose, and a reset behind the driver's back by nothing at all.
	statusPeriod = time.Second
	// eventPause is kept between two looks at the configuration, so that a
	// device that announces a change all the time does not take a CPU.
	eventPause = 10 * time.Millisecond
	// burstLimit is how long a burst can possibly take: it never waits, but its
	// thread may have lost the CPU.
	burstLimit = time.Second
)

// running is the device status of a port in which packets flow.
const running = virtio.StatusAcknowledge | virtio.StatusDriver | virtio.StatusFeaturesOK | virtio.StatusDriverOK

// supervise watches the device until the port is closed or has failed. It is
// the only goroutine that uses the device while there are packets.
func (p *Port) supervise() {
	defer close(p.ended)
	ticker := time.NewTicker(statusPeriod)
	defer ticker.Stop()
	var pause <-chan time.Time
	events := p.t.Events()
	for {
		on := true
		select {
		case <-p.ctx.Done():
			return
		case event, open := <-events:
			if !open {
				events = nil // the ticker will find out why
				break
			}
			var news bool
			if news, on = p.hear(event); !news {
				on = p.look()
				events, pause = nil, time.After(eventPause)
			}
		case <-pause:
			events, pause = p.t.Events(), nil
		case <-ticker.C:
			on = p.look()
		case <-p.trouble:
			on = p.answer(p.broken())
		}
		if !on {
			return
		}
	}
}

// hear does what an event calls for that makes an end or a beginning. It tells
// whether this is one, and whether the port goes on.
func (p *Port) hear(event transport.Event) (news, on bool) {
	switch event {
	case transport.Removed:
		return true, p.recover(&RemovedError{Device: p.name})
	case transport.Disconnected:
		return true, p.part(nil)
	case transport.Reconnected:
		return true, p.rejoin()
	}
	return false, true
}

// catchUp hears what the transport has said by now, and no more: a device may
// announce changes all the time.
func (p *Port) catchUp() (news, on bool) {
	events := p.t.Events()
	on = true
	for n := len(events); n > 0 && on; n-- {
		var this bool
		this, on = p.hear(<-events)
		news = news || this
	}
	return news, on
}

// look inspects the device and answers what it finds. While the back end is away
// there is nothing to look at: a next one that is there already has not been set
// up.
func (p *Port) look() bool {
	return p.away || p.answer(p.inspect())
}

// answer does what a finding calls for, nil being none, and tells whether the
// port goes on.
func (p *Port) answer(cause error) bool {
	switch {
	case cause == nil, p.away: // what is not there gets no worse
		return true
	case errors.Is(cause, transport.ErrDisconnected):
		return p.part(cause)
	}
	// What looks like lost state may be a new back end. The transport has said so
	// before it let anybody see it.
	if news, on := p.catchUp(); news {
		return on
	}
	return p.recover(cause)
}

// inspect looks at the device status and, if that is well, at the link. It
// returns why the port cannot go on, nil if it can.
func (p *Port) inspect() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	status, err := p.t.Status()
	if err != nil {
		return p.lost(err)
	}
	if status.Has(virtio.StatusNeedsReset) {
		return &NeedsResetError{Device: p.name, Status: status}
	}
	if !status.Has(running) {
		return &LostStatusError{Device: p.name, Status: status}
	}
	link, err := readLink(p.t, p.agreed.Load().features)
	if errors.Is(err, transport.ErrRemoved) || errors.Is(err, transport.ErrDisconnected) {
		return p.lost(err)
	}
	if err != nil { // a generation that never settles: the last state stands
		p.log.Warn("the link state cannot be read", "err", err)
		return nil
	}
	if old := *p.link.Load(); old != link {
		p.log.Info("link", "state", link)
		p.link.Store(&link)
	}
	return nil
}

// lost is the error of a device that does not answer. One that may come back is
// not removed.
func (p *Port) lost(err error) error {
	if errors.Is(err, transport.ErrDisconnected) {
		return err
	}
	return &RemovedError{Device: p.name, Err: err}
}

// fail ends the port: no burst does anything any more, and its users are told.
// The device stays as it is until Close.
func (p *Port) fail(cause error) {
	p.log.Error("the port failed", "err", cause)
	gate.Close(p.gates(), burstLimit)
	p.finish(cause)
}
