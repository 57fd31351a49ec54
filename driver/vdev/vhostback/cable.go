package vhostback

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
)

// Wire is a cable ([wire.Cable]) between two software devices, the far one of which a
// peer uses through a socket. It is the [vdev.Backend] of the near device. Frames
// that the near device transmits the peer's driver receives, and the other way
// round. While no driver can receive, the link is down: see [Wire.Follow].
type Wire struct {
	*wire.End
	back *Backend
	link *link
}

// NewWire makes a wire, and serves its far end at a socket as [Serve] does. It
// replaces cfg.Up and cfg.Device.Backend.
func NewWire(path string, cfg Config) (*Wire, error) {
	near, far := wire.Cable()
	w := &Wire{End: near, link: &link{changed: make(chan struct{}, 1), done: make(chan struct{})}}
	cfg.Device.Backend, cfg.Up = far, w.link.set
	var err error
	if w.back, err = Serve(path, cfg); err != nil {
		return nil, errors.Join(err, near.Close())
	}
	return w, nil
}

// FollowLink implements [vdev.LinkReporter]: the link is up while packets can flow.
func (w *Wire) FollowLink(up func(bool), _ func(error)) {
	up(w.link.up.Load())
	go w.link.run(up)
}

// Close implements [vdev.Backend]: it ends the connection and closes the socket.
func (w *Wire) Close() error {
	// Not waited for: the near device may be waiting for this.
	w.link.once.Do(func() { close(w.link.done) })
	return errors.Join(w.back.Close(), w.End.Close())
}

// link carries the state of the far end to the near one, in a goroutine of its
// own, because both have locks.
type link struct {
	up      atomic.Bool
	changed chan struct{}
	done    chan struct{}
	once    sync.Once
}

func (l *link) set(up bool) {
	l.up.Store(up)
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

func (l *link) run(up func(bool)) {
	for {
		select {
		case <-l.done:
			return
		case <-l.changed:
			up(l.up.Load())
		}
	}
}
