package driver

import (
	"errors"

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
	s.disconnects.Add(1)
	return s.quiesce(cause)
}

// reconnect sets the device up again with a back end that has come. This is not a
// reset that Config.Recovery bounds. A back end that cannot be set up, perhaps
// because it is not ready itself, is left alone until the transport comes with
// the next one; if the transport cannot do that, Config.Recovery says how often
// to try.
func (s *supervisor) reconnect() (alive bool) {
	if !s.disconnect(nil) { // nothing to do if the transport has said so before
		return false
	}
	s.disconnected = false
	err := s.restart()
	switch {
	case err == nil:
		return true
	case s.ctx.Err() != nil:
		return false
	case errors.Is(err, transport.ErrDisconnected):
		return s.disconnect(err)
	case s.device.disconnect(err):
		return s.disconnect(err)
	}
	return s.recover(err)
}
