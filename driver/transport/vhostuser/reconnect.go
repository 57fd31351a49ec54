package vhostuser

import (
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
)

const (
	// The pauses before connecting again after a connection that was short, so
	// that a back end that fails all the time costs little.
	firstPause = 10 * time.Millisecond
	lastPause  = time.Second
	// lasting is how long a connection lives that was not in vain.
	lasting = 2 * time.Second
	// workedPause is the longest pause after one that was set up: traffic waits
	// for the next.
	workedPause = 100 * time.Millisecond
	// lastRetry is the longest pause between attempts while there is nobody to
	// connect to. That costs next to nothing, and traffic waits for it.
	lastRetry = 100 * time.Millisecond
)

// keep waits for the end of the connection and makes the next one, until Close.
func (d *Device) keep(s *session) {
	pause := firstPause
	for s != nil {
		began := time.Now()
		select {
		case <-s.done:
		case <-d.closing.Done():
		}
		s.close()
		if d.closing.Err() != nil {
			return
		}
		d.log.Warn("the connection ended", "err", s.err)
		d.ended.Store(disconnectedError(d.name, s.err))
		d.session.Store(nil)
		if !d.report(transport.Disconnected) {
			return
		}
		switch {
		case time.Since(began) >= lasting:
			pause = firstPause
		case s.worked.Load():
			pause = min(pause, workedPause)
		}
		s = d.reopen(pause)
		pause = min(2*pause, lastPause)
	}
}

// Disconnect ends the connection that there is, if any, as if the back end had
// gone. A driver does so with one that it cannot set up. The pauses before the
// next connection grow with each that was short.
func (d *Device) Disconnect(cause error) {
	if s, err := d.current(); err == nil {
		s.end(cause)
	}
}

// reopen makes the next connection, however long it takes. It returns nil when
// the device is being closed.
func (d *Device) reopen(pause time.Duration) *session {
	retry, said := firstPause, ""
	for d.wait(pause) {
		s, err := d.open(d.closing)
		if err == nil {
			d.session.Store(s)
			if d.report(transport.Reconnected) {
				return s
			}
			s.close()
			return nil
		}
		if d.closing.Err() == nil && err.Error() != said { // not the same ten times a second
			said = err.Error()
			d.log.Warn("no connection yet", "err", err)
		}
		pause, retry = retry, min(2*retry, lastRetry)
	}
	return nil
}

// wait lets time pass, and tells whether the device is still open.
func (d *Device) wait(long time.Duration) bool {
	timer := time.NewTimer(long)
	defer timer.Stop()
	select {
	case <-d.closing.Done():
		return false
	case <-timer.C:
		return true
	}
}
