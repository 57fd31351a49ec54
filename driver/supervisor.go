package driver

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
)

const (
	// statusPeriod is how often the device status is read. A device announces
	// DEVICE_NEEDS_RESET by a configuration interrupt, which it may not have
	// or lose, and a reset behind the driver's back by nothing at all.
	statusPeriod = time.Second
	// eventPause is kept between two reads of the configuration, so that a
	// device that announces a change all the time does not take a CPU.
	eventPause = 10 * time.Millisecond
)

// supervisor watches a device and recovers it. Its goroutine is the only one that
// uses the device while packets flow, apart from calls of the application. What
// is not atomic belongs to that goroutine.
//
// Its methods that return alive report whether the port goes on; if not, they
// have ended it.
type supervisor struct {
	device *device
	cfg    Recovery
	log    *slog.Logger

	ctx     context.Context
	cancel  context.CancelFunc // ends the goroutine
	stopped chan struct{}      // closed when it has ended

	broken       atomic.Pointer[QueueBrokenError] // what a poller reported
	brokenSignal chan struct{}                    // that it did
	unanswered   chan struct{}                    // the device did not answer a command

	subscribers subscribers

	link        atomic.Pointer[Link]
	resets      atomic.Uint64
	disconnects atomic.Uint64
	refusals    atomic.Uint64
	faults      faultCounters

	acknowledging atomic.Bool    // that the device asked for an announcement
	background    sync.WaitGroup // of the goroutine that does that

	attempts     attempts // resets
	refused      attempts // set-ups that back ends refused since the last that worked
	disconnected bool     // the back end has gone and is waited for
	lost         error    // why the last back end that worked has gone

	finishOnce sync.Once
	done       chan struct{}
	err        error // written before done is closed
}

// newSupervisor returns a supervisor, whose device still has to be set.
func newSupervisor(cfg Recovery) *supervisor {
	s := &supervisor{
		cfg: cfg, brokenSignal: make(chan struct{}, 1), unanswered: make(chan struct{}, 1),
		stopped: make(chan struct{}), done: make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.link.Store(&Link{})
	return s
}

// reportBroken is called by pollers whose queue broke. The first report counts.
func (s *supervisor) reportBroken(err *QueueBrokenError) {
	s.broken.CompareAndSwap(nil, err)
	select {
	case s.brokenSignal <- struct{}{}:
	default:
	}
}

// reportUnanswered is called when the device did not answer a command: it may have lost its
// state. The control queue is not used before that was looked at.
func (s *supervisor) reportUnanswered() {
	select {
	case s.unanswered <- struct{}{}:
	default:
	}
}

// start sets up the device, opens the gates and starts the supervisor's goroutine.
// ctx bounds the set-up.
func (s *supervisor) start(ctx context.Context) error {
	link, err := s.device.start(ctx)
	if err == nil {
		err = ctx.Err() // it may have ended the connection at the last moment
	}
	if err != nil {
		s.cancel()
		return err
	}
	s.link.Store(&link)
	s.device.openGates()
	s.device.control.resume()
	go s.run()
	return nil
}

// stop ends the supervisor's goroutine.
func (s *supervisor) stop() {
	s.cancel()
	<-s.stopped
	s.background.Wait()
}

// run watches the device until the port is closed or has failed.
func (s *supervisor) run() {
	defer close(s.stopped)
	defer s.device.reportMisuse() // of the time since the last tick
	ticker := time.NewTicker(statusPeriod)
	defer ticker.Stop()
	var pause <-chan time.Time
	events := s.device.events()
	for alive := true; alive; {
		select {
		case <-s.ctx.Done():
			return
		case event, open := <-events:
			if !open {
				events = nil // the ticker will find out why
				break
			}
			var handled bool
			if handled, alive = s.handleEvent(event); !handled {
				s.notify(ConfigurationChanged, nil)
				alive = s.checkStatus()
				events, pause = nil, time.After(eventPause)
			}
		case <-pause:
			events, pause = s.device.events(), nil
		case <-ticker.C:
			s.device.reportMisuse()
			alive = s.checkStatus()
		case <-s.unanswered:
			if alive = s.checkStatus(); alive && !s.disconnected {
				s.device.control.resume()
			}
		case <-s.brokenSignal:
			if broken := s.broken.Swap(nil); broken != nil {
				alive = s.handleFailure(broken)
			}
		}
	}
}

// handleEvent handles events that end or begin a connection, and reports whether
// this is one.
func (s *supervisor) handleEvent(event transport.Event) (handled, alive bool) {
	switch event {
	case transport.Removed:
		return true, s.recover(&Error{
			Device: s.device.name, Reason: "the removal of the device was asked for",
			Remedy: "close the port", kind: transport.ErrRemoved,
		})
	case transport.Disconnected:
		return true, s.disconnect(nil)
	case transport.Reconnected:
		return true, s.reconnect()
	}
	return false, true
}

// handlePending handles the events that are there by now, and no more: a device
// may announce changes all the time.
func (s *supervisor) handlePending() (handled, alive bool) {
	events := s.device.events()
	alive = true
	for n := len(events); n > 0 && alive; n-- {
		var this bool
		this, alive = s.handleEvent(<-events)
		handled = handled || this
	}
	return handled, alive
}

// checkStatus reads the device status and, if that is as it should be, the link.
// While the back end is disconnected there is nothing to read: a next one that is
// there already has not been set up.
func (s *supervisor) checkStatus() (alive bool) {
	if s.disconnected {
		return true
	}
	err := s.device.checkStatus()
	if err == nil {
		err = s.updateLink()
	}
	return err == nil || s.handleFailure(err)
}

// updateLink reads the state of the link, and whether the device asks for an
// announcement. It returns why the port cannot go on, nil if it can.
func (s *supervisor) updateLink() error {
	link, err := s.device.readLink()
	if err == nil {
		err = s.checkAnnounce()
	}
	switch {
	case errors.Is(err, transport.ErrRemoved), errors.Is(err, transport.ErrDisconnected):
		return s.device.lost(err)
	case err != nil: // a generation that never settles: the last state stands
		s.log.Warn("the link state cannot be read", "err", err)
		return nil
	}
	if old := *s.link.Load(); old != link {
		s.log.Info("link", "state", link)
		s.link.Store(&link)
		s.notify(LinkChanged, nil)
	}
	return nil
}

// handleFailure recovers from a failure, or waits for the next back end.
func (s *supervisor) handleFailure(cause error) (alive bool) {
	switch {
	case s.disconnected: // what is not there gets no worse
		return true
	case errors.Is(cause, transport.ErrDisconnected):
		return s.disconnect(cause)
	}
	// What looks like lost state may be a new back end. The transport has sent
	// the event before anything of that one could be read.
	if handled, alive := s.handlePending(); handled {
		return alive
	}
	return s.recover(cause)
}

// fail ends the port: bursts return 0 from now on, and the application is told.
// The device stays as it is until Close.
func (s *supervisor) fail(cause error) {
	s.log.Error("the port failed", "err", cause)
	s.device.control.end(&Error{Device: s.device.name, Reason: "the port has failed", Err: cause,
		Remedy: "close it, and open it again"})
	// A poller that does not leave its burst changes nothing here: Close deals
	// with it.
	_ = s.device.closeGates(0)
	s.finish(cause)
}

// finish ends the port for the application with err. Only the first one counts.
func (s *supervisor) finish(err error) {
	s.finishOnce.Do(func() {
		s.link.Store(&Link{})
		s.err = err
		close(s.done)
		s.device.service.end(err)
		s.notify(Ended, err)
	})
}
