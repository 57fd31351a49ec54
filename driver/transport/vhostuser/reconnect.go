package vhostuser

import (
	"errors"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
)

const (
	// minBackoff and maxBackoff bound the waits before connecting again after a
	// short connection, so that a back end that fails all the time costs little.
	minBackoff = 10 * time.Millisecond
	maxBackoff = time.Second
	// stableAfter is how long a connection lasts that resets the back-off.
	stableAfter = 2 * time.Second
	// maxReadyBackoff is the longest wait after a connection that reached DRIVER_OK:
	// traffic waits for the next one. A server has no longer one at all, because the
	// next caller may be another.
	maxReadyBackoff = 100 * time.Millisecond
	// maxRetryBackoff is the longest wait between attempts while no back end listens.
	// An attempt costs next to nothing, and traffic waits for it.
	maxRetryBackoff = 100 * time.Millisecond
	// acceptPause is what a server waits after a peer that hung up or did not speak the
	// protocol: the next caller may be a good one, and bad ones take little of a CPU.
	acceptPause = time.Millisecond
)

// reconnectLoop waits for the end of the connection and makes the next one, until
// Close.
func (d *Device) reconnectLoop(s *session) {
	backoff := minBackoff
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
		case time.Since(began) >= stableAfter:
			backoff = minBackoff
		case s.ready.Load(), d.opt.Server:
			backoff = min(backoff, maxReadyBackoff)
		}
		s = d.reconnect(backoff)
		backoff = min(2*backoff, maxBackoff)
	}
}

// Disconnect implements transport.Disconnecter. The connection ends as if the back
// end had ended it. The waits before the next connection grow with each short one.
func (d *Device) Disconnect(cause error) {
	if s := d.session.Load(); s != nil {
		s.end(cause)
	}
}

// reconnect makes the next connection, however long it takes, the first attempt
// after backoff. It returns nil when the device is being closed.
func (d *Device) reconnect(backoff time.Duration) *session {
	retry := minBackoff
	log := onceLog{log: d.log} // not ten times a second
	for d.wait(backoff) {
		s, err := d.open(d.closing)
		if err == nil {
			d.session.Store(s)
			if d.report(transport.Reconnected) {
				return s
			}
			s.close()
			return nil
		}
		if d.closing.Err() == nil {
			log.warn("no connection yet", err)
		}
		if d.opt.Server && errors.Is(err, transport.ErrDisconnected) {
			backoff = acceptPause
			continue
		}
		backoff, retry = retry, min(2*retry, maxRetryBackoff)
	}
	return nil
}

// wait lets time pass, and reports whether the device is still open.
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
