package vhostuser

import (
	"context"
	"time"
)

// The bounds of the pauses between two reads of the status during a reset.
const (
	minResetPoll = 100 * time.Microsecond
	maxResetPoll = 10 * time.Millisecond
)

// Reset implements transport.Transport. Rings are disabled and stopped, which
// the back end has to confirm, then the device is reset. A connection over
// which nothing was set up yet has nothing to reset.
//
// It does not fail: the connection to a back end that refuses, or does not confirm
// before ctx ends, is ended, and without a connection there is no device that could
// be using the rings. Later calls fail with transport.ErrDisconnected until there
// is a new connection.
func (d *Device) Reset(ctx context.Context) error {
	s, err := d.current()
	if err != nil {
		return nil
	}
	s.written, s.remaining = 0, s.budget
	stop := s.endWith(ctx, "a reset")
	defer stop()
	if err := s.reset(); err != nil {
		s.end(err)
		d.log.Warn("the back end was not reset; the connection is ended", "err", err)
	}
	// What is in the pipe by now is about the rings that were stopped.
	s.faults.forget(func() { d.needsReset.Store(false) })
	return nil
}

// reset stops everything that was started over this connection.
func (s *session) reset() error {
	s.drain()
	s.refusal = nil // of a set-up that has failed
	if err := s.enableAll(s.started(), false); err != nil {
		return err
	}
	err := s.batch(true, func() error {
		for _, i := range s.started() {
			if err := s.stop(i); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !s.has(protocolMemSlots) {
		s.memory = nil // sent again: a reset may have made the back end forget it
	}
	if !s.dirty {
		return nil
	}
	switch {
	case s.has(protocolStatus):
		if err := s.resetStatus(); err != nil {
			return err
		}
	case s.has(protocolReset):
		if err := s.command(emptyMessage(resetDevice), ""); err != nil {
			return err
		}
		if err := s.fence(); err != nil {
			return err
		}
	}
	s.dirty, s.features, s.packed, s.active = false, 0, false, 0
	return nil
}

// stop has the back end stop ring i, which its reply confirms. Where the ring stood
// does not matter: it will not be resumed.
func (s *session) stop(i int) error {
	want := expectation{request: getVringBase, size: stateLen}
	return s.post(vringState(getVringBase, i, 0), false, want, func(b []byte) error {
		_, err := decodeState(b, i)
		if err == nil {
			delete(s.rings, i)
		}
		return err
	})
}

// resetStatus writes 0 to the device status and waits until it reads back 0.
// The end of the connection ends the wait.
func (s *session) resetStatus() error {
	if err := s.command(u64Message(setStatus, 0), " 0"); err != nil {
		return err
	}
	for pause := minResetPoll; ; pause = min(2*pause, maxResetPoll) {
		status, err := s.status()
		if err != nil || status == 0 {
			return err
		}
		select {
		case <-s.done:
			return s.disconnected()
		case <-time.After(pause):
		}
	}
}
