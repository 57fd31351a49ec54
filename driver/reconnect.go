package driver

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
)

// disconnect is what follows when the back end has gone: the link is down and
// bursts return 0 until the transport says that there is one again. Buffers stay
// where they are until then: the old back end may need a moment to notice that
// they are no longer its own.
func (s *supervisor) disconnect(cause error) (alive bool) {
	if s.disconnected {
		return true
	}
	if cause == nil {
		cause = s.device.disconnectCause()
	}
	if s.cfg.MaxResets < 0 {
		s.fail(cause)
		return false
	}
	s.log.Warn("waiting for the back end", "cause", cause)
	s.disconnected = true
	if len(s.refused.at) == 0 {
		s.lost = cause
	}
	s.disconnects.Add(1)
	s.quiesce(cause)
	s.notify(Disconnected, cause)
	return true
}

// reconnect sets the device up again with a back end that has come. This is not a
// reset that Config.Recovery bounds, but a refusal is: see refuse. A back end that
// cannot be set up, perhaps because it is not ready itself, is left alone until the
// transport comes with the next one; if the transport cannot do that, Config.Recovery
// says how often to try.
func (s *supervisor) reconnect() (alive bool) {
	if !s.disconnect(nil) { // nothing to do if the transport has said so before
		return false
	}
	s.disconnected = false
	if len(s.refused.at) != 0 {
		if handled, alive := s.backoff(s.refused.pause(s.cfg, refusalFactor)); handled {
			return alive
		}
	}
	if handled, alive := s.awaitPollers(); handled {
		return alive
	}
	err := s.restart()
	switch {
	case err == nil:
		s.refused = attempts{}
		return true
	case s.ctx.Err() != nil:
		return false
	case errors.Is(err, transport.ErrLocal):
		s.fail(err)
		return false
	case errors.Is(err, ErrMemoryFault): // another back end makes no difference
		return s.recover(err)
	case !s.refuse(err):
		return false
	case errors.Is(err, transport.ErrDisconnected):
		return s.disconnect(err)
	case s.device.disconnect(err):
		return s.disconnect(err)
	}
	return s.recover(err)
}

// refusalFactor is how the wait before a set-up grows with each refusal.
const refusalFactor = 4

// refuse counts a set-up that the back end refused, or in which it ended the
// connection, and ends the port if there were as many in a row as Config.Recovery
// allows. A back end that did not answer in time has refused nothing: it, or this
// process, may be short of CPU time.
func (s *supervisor) refuse(err error) (alive bool) {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	s.refusals.Add(1)
	now := time.Now()
	s.refused.forget(s.cfg, now)
	s.refused.at = append(s.refused.at, now)
	if n := len(s.refused.at); n >= s.cfg.MaxResets {
		s.giveUp(n, s.lost, err)
		return false
	}
	return true
}
