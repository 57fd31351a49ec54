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
type Recovery struct {
	// MaxResets is how many resets there may be within Window; if one more is
	// needed, the port fails. 0 means 5 and a negative number none.
	MaxResets int
	// Window is the time within which resets are counted; 0 means a minute.
	Window time.Duration
	// MinBackoff is the wait before the first reset in a Window. It doubles with
	// each further one, up to MaxBackoff. 0 means 10 ms and 5 s.
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

// recover recovers from a failure: quiesce, reset, renegotiate, refill, go on. More
// often than Config.Recovery allows it ends the port.
func (s *supervisor) recover(cause error) (alive bool) {
	if errors.Is(cause, transport.ErrRemoved) || s.cfg.MaxResets < 0 {
		s.fail(cause)
		return false
	}
	s.log.Warn("recovering", "cause", cause)
	if !s.quiesce(cause) {
		return false
	}
	var err error
	for {
		pause, more := s.attempts.next(s.cfg, time.Now())
		if !more {
			s.giveUp(cause, err)
			return false
		}
		if handled, alive := s.backoff(pause); handled {
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
		case errors.Is(err, transport.ErrDisconnected):
			return s.disconnect(err)
		case errors.Is(err, transport.ErrRemoved):
			s.fail(s.device.lost(err))
			return false
		case errors.As(err, &stuck): // a device that hangs in a reset is no better the next time
			s.giveUp(cause, err)
			return false
		}
		s.log.Warn("the device cannot be set up again", "err", err)
	}
}

// giveUp ends the port. err says why the last reset did not help, nil if it did
// for a while.
func (s *supervisor) giveUp(cause, err error) {
	s.fail(&RecoveryError{Device: s.device.name, Resets: len(s.attempts.at), Cause: cause, Err: err})
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

// quiesce takes the queues from their pollers. If it cannot, the port fails.
func (s *supervisor) quiesce(cause error) (alive bool) {
	s.link.Store(&Link{})
	if err := s.device.closeGates(cause); err != nil {
		s.fail(err)
		return false
	}
	return true
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
	s.resets.Add(1) // last, so that the gates are open when Stats returns it
	s.log.Info("recovered", "features", s.device.current.Load().features.String())
	return nil
}
