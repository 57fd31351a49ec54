package driver

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// nextEvent waits for an event of a kind, and returns it. Others may come before it.
func nextEvent(t *testing.T, events <-chan Event, kind EventKind) Event {
	t.Helper()
	limit := time.After(patience)
	for {
		select {
		case e := <-events:
			if e.Kind == kind {
				return e
			}
		case <-limit:
			t.Fatalf("no event %q", kind)
		}
	}
}

// Every subscriber receives what happens to the port, one without room loses it and holds
// up no one, and after stop nothing is sent.
func TestNotify(t *testing.T) {
	r := newRig(t, pcifn.Config{}, Config{})
	events, others, full := make(chan Event, 16), make(chan Event, 16), make(chan Event)
	defer r.port.Notify(events)()
	stopOthers := r.port.Notify(others)
	defer r.port.Notify(full)()
	for _, up := range []bool{false, true} {
		r.dev.SetLink(up)
		nextEvent(t, events, ConfigurationChanged)
		if e := nextEvent(t, events, LinkChanged); e.Link.Up != up || r.port.Link().Up != up {
			t.Errorf("the link is %v, the event says %v", up, e.Link)
		}
		if e := nextEvent(t, others, LinkChanged); e.Link.Up != up {
			t.Errorf("the link is %v, the event of the other subscriber says %v", up, e.Link)
		}
	}
	stopOthers()
	r.dev.NeedReset()
	if e := nextEvent(t, events, RecoveryStarted); !errors.Is(e.Err, ErrNeedsReset) || e.Link.Up {
		t.Errorf("%+v", e)
	}
	if e := nextEvent(t, events, Recovered); e.Err != nil || !e.Link.Up {
		t.Errorf("%+v", e)
	}
	if err := r.port.Close(); err != nil {
		t.Error(err)
	}
	if e := nextEvent(t, events, Ended); !errors.Is(e.Err, os.ErrClosed) || e.Link.Up {
		t.Errorf("%+v", e)
	}
	if len(others) != 0 || len(full) != 0 {
		t.Errorf("%d events after stop", len(others))
	}
}

// A device without STATUS says nothing of its link: there are no events of it.
func TestNotifyWithoutStatus(t *testing.T) {
	r := newRig(t, pcifn.Config{}, refuse(virtio.NetStatus))
	events := make(chan Event, 16)
	defer r.port.Notify(events)()
	r.dev.SetLink(false)
	r.dev.NeedReset()
	nextEvent(t, events, Recovered)
	for len(events) > 0 {
		if e := <-events; e.Kind == LinkChanged {
			t.Errorf("%+v", e)
		}
	}
}
