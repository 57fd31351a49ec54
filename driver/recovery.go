package driver

import (
	"errors"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
)

// Recovery says how a port recovers when its device asks for a reset, has lost its
// state, or has written something invalid into a virtqueue: bursts return 0 while
// the device is reset and set up again, and then go on. Packets that the device had
// are lost, buffers are not. The zero value is a good choice.
//
// A back end that has disconnected is waited for without a bound, unless MaxResets is
// negative. One that connects and does not let itself be set up is a refusal.
type Recovery struct {
	// MaxResets is how many resets there may be within Window; if one more is
	// needed, the port fails. It also fails at this number of refusals in a row within
	// Window. 0 means 5 and a negative number none.
	MaxResets int
	// Window is the time within which resets are counted; 0 means a minute.
	Window time.Duration
	// MinBackoff is the wait before the first reset in a Window. It doubles with
	// each further one, up to MaxBackoff, and grows fourfold with each refusal: a back
	// end may need some seconds to begin. 0 means 10 ms and 5 s.
	MinBackoff, MaxBackoff time.Duration
}

func (r *Recovery) complete() {
	if r.MaxResets == 0 {
		r.MaxResets = 5
	}
	for _, d := range []struct {
		value *time.Duration
		or    time.Duration
	}{
		{&r.Window, time.Minute},
		{&r.MinBackoff, 10 * time.Millisecond},
		{&r.MaxBackoff, 5 * time.Second},
	} {
		if *d.value <= 0 {
			*d.value = d.or
		}
	}
}

// attempts remembers when resets were made.
type attempts struct{ at []time.Time }

// next returns how long to wait before another reset, false if r allows no more.
func (a *attempts) next(r Recovery, now time.Time) (time.Duration, bool) {
	a.forget(r, now)
	if len(a.at) >= r.MaxResets {
		return 0, false
	}
	pause := a.pause(r, 2)
	a.at = append(a.at, now)
	return pause, true
}

// forget forgets those before the window.
func (a *attempts) forget(r Recovery, now time.Time) {
	for len(a.at) > 0 && now.Sub(a.at[0]) > r.Window {
		a.at = a.at[1:]
	}
}

// pause returns the back-off, which grows by a factor with each reset.
func (a *attempts) pause(r Recovery, factor time.Duration) time.Duration {
	pause := min(r.MinBackoff, r.MaxBackoff)
	for range a.at {
		pause = min(factor*pause, r.MaxBackoff)
	}
	return pause
}

// recover recovers from a failure: quiesce, reset, renegotiate, refill, go on. More
// often than Config.Recovery allows it ends the port.
func (s *supervisor) recover(cause error) (alive bool) {
	s.faults.count(cause)
	if errors.Is(cause, transport.ErrRemoved) || s.cfg.MaxResets < 0 {
		s.fail(cause)
		return false
	}
	s.log.Warn("recovering", "cause", cause)
	s.quiesce(cause)
	s.notify(RecoveryStarted, cause)
	var err error
	for {
		pause, more := s.attempts.next(s.cfg, time.Now())
		if !more {
			s.giveUp(len(s.attempts.at), cause, err)
			return false
		}
		if handled, alive := s.backoff(pause); handled {
			return alive
		}
		if handled, alive := s.awaitPollers(); handled {
			return alive
		}
		if err = s.restart(); err == nil {
			return true
		}
		if s.ctx.Err() != nil {
			return false
		}
		var stuck *transport.ResetError
		switch {
		case errors.Is(err, transport.ErrLocal):
			s.fail(err)
			return false
		case errors.Is(err, transport.ErrDisconnected):
			return s.disconnect(err)
		case errors.Is(err, transport.ErrRemoved):
			s.fail(s.device.lost(err))
			return false
		case errors.As(err, &stuck): // a device that hangs in a reset is no better the next time
			s.giveUp(len(s.attempts.at), cause, err)
			return false
		}
		s.log.Warn("the device cannot be set up again", "err", err)
	}
}

// giveUp ends the port. err says why the last reset did not help, nil if it did
// for a while.
func (s *supervisor) giveUp(resets int, cause, err error) {
	s.fail(&RecoveryError{Device: s.device.name, Resets: resets, Cause: cause, Err: err})
}

// backoff waits before a reset. It reports whether an event was handled meanwhile
// that ends the recovery, as the removal of the device does.
func (s *supervisor) backoff(pause time.Duration) (handled, alive bool) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	events := s.device.events()
	for {
		select {
		case <-s.ctx.Done():
			return true, false
		case <-timer.C:
			return false, true
		case event, open := <-events:
			if !open {
				events = nil
				break
			}
			if handled, alive := s.handleEvent(event); handled {
				return true, alive
			}
		}
	}
}

// quiesce takes the queues from their pollers: no further burst begins. One that is
// under way may go on until awaitPollers returns. A command that is under way ends, with
// cause.
func (s *supervisor) quiesce(cause error) {
	s.link.Store(&Link{})
	s.device.control.suspend(cause)
	_ = s.device.closeGates(0) // awaitPollers waits
	s.device.service.withdraw()
}

// Bounds of the pauses between two looks at a poller inside a burst.
const (
	minPollerPause = time.Millisecond
	maxPollerPause = 100 * time.Millisecond
)

// awaitPollers waits until no poller is inside a burst, however long that takes: one
// whose thread gets no CPU is healthy, and goes on where it stopped. It reports
// whether an event was handled meanwhile that ends the recovery.
func (s *supervisor) awaitPollers() (handled, alive bool) {
	began, warned := time.Now(), false
	for pause := minPollerPause; ; pause = min(2*pause, maxPollerPause) {
		busy := s.device.closeGates(0)
		if busy == nil {
			return false, true
		}
		if !warned && time.Since(began) > burstLimit {
			warned = true
			s.log.Warn("the recovery waits for a poller", "err", busy)
		}
		if handled, alive := s.backoff(pause); handled {
			return true, alive
		}
	}
}

// restart resets the device, sets everything up again, and gives the queues to
// their pollers.
func (s *supervisor) restart() error {
	s.broken.Store(nil) // by a ring that ends now: the gates are closed
	link, err := s.device.restart(s.ctx)
	if err != nil {
		return err
	}
	s.link.Store(&link)
	s.device.openGates()
	s.device.control.resume()
	s.resets.Add(1) // last, so that the gates are open when Stats returns it
	s.notify(Recovered, nil)
	s.log.Info("recovered", "features", s.device.current.Load().features.String())
	return nil
}
