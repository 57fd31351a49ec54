package driver

import (
	"errors"
	"fmt"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/gate"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
)

// Recovery says how a port recovers when its device asks for a reset, lost its
// state, or wrote what it never may: the queues are taken from their pollers,
// the device is reset and set up again, and bursts go on. Packets that the
// device had are lost, buffers are not. The zero value is a good choice.
type Recovery struct {
	// MaxResets is how many resets there may be within Window; with one more the
	// port fails. 0 means 5 and a negative number none.
	MaxResets int
	// Window is the time in which resets are counted; 0 means a minute.
	Window time.Duration
	// MinBackoff goes before the first reset in a Window, and twice as much
	// before each further one, up to MaxBackoff. 0 means 10 ms and 5 s.
	MinBackoff, MaxBackoff time.Duration
}

func (r *Recovery) complete() {
	if r.MaxResets == 0 {
		r.MaxResets = 5
	}
	for _, d := range []struct {
		value *time.Duration
		or    time.Duration
	}{{&r.Window, time.Minute}, {&r.MinBackoff, 10 * time.Millisecond}, {&r.MaxBackoff, 5 * time.Second}} {
		if *d.value <= 0 {
			*d.value = d.or
		}
	}
}

// RecoveryError says that a port could not be recovered.
type RecoveryError struct {
	Device string
	Resets int   // within the window of Config.Recovery
	Cause  error // why the last recovery began
	Err    error // why the device could not be set up again, nil if it could but did not last
}

func (e *RecoveryError) Error() string {
	text := fmt.Sprintf("%s: given up after %d resets: %v", e.Device, e.Resets, e.Cause)
	if e.Err != nil {
		text += fmt.Sprintf("; setting the device up again failed: %v", e.Err)
	}
	return text + "; close the port, and look at the host's log for what is wrong with the device"
}

func (e *RecoveryError) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Cause}
	}
	return []error{e.Cause, e.Err}
}

// FewerQueuesError is a device that came back from a reset with fewer queue
// pairs than are in use.
type FewerQueuesError struct {
	Device     string
	Had, Pairs int
}

func (e *FewerQueuesError) Error() string {
	return fmt.Sprintf("%s: the device has %d queue pairs after its reset, and %d are in use", e.Device, e.Pairs, e.Had)
}

// attempts remembers when resets were made. It is the supervisor's.
type attempts struct{ at []time.Time }

// next returns how long to wait before another reset, false if there were
// enough of them.
func (a *attempts) next(r Recovery, now time.Time) (time.Duration, bool) {
	for len(a.at) > 0 && now.Sub(a.at[0]) > r.Window {
		a.at = a.at[1:]
	}
	if len(a.at) >= r.MaxResets {
		return 0, false
	}
	pause := r.MinBackoff
	for range a.at {
		pause = min(2*pause, r.MaxBackoff)
	}
	a.at = append(a.at, now)
	return pause, true
}

// recover answers a failure, and tells whether the port goes on. Quiesce, reset,
// renegotiate, refill, go on; more often than Config.Recovery allows it is
// given up.
func (p *Port) recover(cause error) bool {
	var removed *RemovedError
	if errors.As(cause, &removed) || p.cfg.Recovery.MaxResets < 0 {
		p.fail(cause)
		return false
	}
	p.log.Warn("recovering", "cause", cause)
	if !p.quiesce(cause) {
		return false
	}
	var err error
	for {
		pause, more := p.attempts.next(p.cfg.Recovery, time.Now())
		if !more {
			p.fail(&RecoveryError{Device: p.name, Resets: len(p.attempts.at), Cause: cause, Err: err})
			return false
		}
		if over, on := p.rest(pause); over {
			return on
		}
		if err = p.restart(); err == nil {
			p.resume()
			return true
		}
		if p.ctx.Err() != nil {
			return false
		}
		var stuck *transport.ResetError
		switch {
		case errors.Is(err, transport.ErrDisconnected):
			return p.part(err)
		case errors.Is(err, transport.ErrRemoved):
			p.fail(p.lost(err))
			return false
		case errors.As(err, &stuck): // a device that hangs in a reset is no better the next time
			p.fail(&RecoveryError{Device: p.name, Resets: len(p.attempts.at), Cause: cause, Err: err})
			return false
		}
		p.log.Warn("the device cannot be set up again", "err", err)
	}
}

// rest waits before a reset. It tells whether something came up that makes an end
// of the recovery, as the removal of the device, and then whether the port goes on.
func (p *Port) rest(pause time.Duration) (over, on bool) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	events := p.t.Events()
	for {
		select {
		case <-p.ctx.Done():
			return true, false
		case <-timer.C:
			return false, true
		case event, open := <-events:
			if !open {
				events = nil
				break
			}
			if news, on := p.hear(event); news {
				return true, on
			}
		}
	}
}

// quiesce takes the queues from their pollers, and tells whether it could. If
// not, the port has failed.
func (p *Port) quiesce(cause error) bool {
	p.link.Store(&Link{})
	if busy := gate.Close(p.gates(), burstLimit); busy >= 0 {
		p.fail(&BusyQueueError{Device: p.name, Queue: busy, Waited: burstLimit, Err: cause})
		return false
	}
	return true
}

// resume gives the queues of a port that was set up again to their pollers.
func (p *Port) resume() {
	p.openGates()
	p.resets.Add(1) // who sees it can go on
	p.log.Info("recovered", "features", p.Features().String())
}

// restart resets the device, takes back what the queues held, and sets
// everything up again. All gates are closed.
func (p *Port) restart() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.reset(p.ctx); err != nil {
		return err
	}
	p.drain()
	p.breakage.Store(nil)
	p.ctrl = nil
	return p.startReset()
}
