package driver

import "sync"

// Event is something that happened to a port. See [Port.Notify].
type Event struct {
	Kind EventKind
	// Link is the state of the link from now on.
	Link Link
	// Err is why a recovery began, the back end is waited for, or the port ended; nil for
	// the other kinds.
	Err error
}

// EventKind says what happened.
type EventKind int

const (
	// LinkChanged says that the link went up or down, or has another speed. A port
	// that is being recovered has no link, and its link comes back with Recovered.
	LinkChanged EventKind = iota + 1
	// ConfigurationChanged says that the device reported a change of its
	// configuration, of the link or of anything else. It comes before LinkChanged.
	ConfigurationChanged
	// AnnounceRequested says that the device asks for packets by which the network
	// learns where the port's addresses are, as after a migration (5.1.9.5.4).
	AnnounceRequested
	// RecoveryStarted says that bursts return 0 until the device is set up again, or
	// the port ends: see [Recovery].
	RecoveryStarted
	// Disconnected says that the back end has gone and that the port waits for it.
	Disconnected
	// Recovered says that packets flow again, after RecoveryStarted or Disconnected.
	Recovered
	// Ended says that the port failed or was closed, as [Port.Done] does. No event
	// follows.
	Ended
)

// String returns the kind in words: "link changed", "recovered", ….
func (k EventKind) String() string {
	switch k {
	case LinkChanged:
		return "link changed"
	case ConfigurationChanged:
		return "configuration changed"
	case AnnounceRequested:
		return "announce requested"
	case RecoveryStarted:
		return "recovery started"
	case Disconnected:
		return "back end disconnected"
	case Recovered:
		return "recovered"
	case Ended:
		return "ended"
	}
	return "unknown event"
}

// Notify has the port send its events to ch until stop is called; after stop has
// returned nothing is sent. As with [os/signal.Notify] the port does not wait for room in
// ch, so that an event which finds none is lost: give ch room for some, and after a wait
// look at [Port.Link] and [Port.Done], which are always up to date. Several channels may
// receive the events of one port, and one those of several.
//
// With an interrupt for changes of the configuration, which PCI devices have, a change of
// the link arrives within milliseconds; otherwise, and over vhost-user, which has no such
// message, the device is read four times a second or once.
func (p *Port) Notify(ch chan<- Event) (stop func()) {
	return p.supervisor.subscribers.add(ch)
}

// subscribers are the channels that receive the events of a port. The zero value is ready
// to use.
type subscribers struct {
	mu    sync.Mutex
	next  int
	chans map[int]chan<- Event
}

func (s *subscribers) add(ch chan<- Event) (remove func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.chans == nil {
		s.chans = make(map[int]chan<- Event)
	}
	id := s.next
	s.next++
	s.chans[id] = ch
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.chans, id)
	}
}

// send sends an event to all who have room for it.
func (s *subscribers) send(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ch := range s.chans {
		select {
		case ch <- e:
		default:
		}
	}
}

// notify sends an event to the subscribers, with the state of the link. It never waits, and
// may be called from any goroutine.
func (s *supervisor) notify(kind EventKind, err error) {
	s.subscribers.send(Event{Kind: kind, Link: *s.link.Load(), Err: err})
}
