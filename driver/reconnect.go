package driver

import (
	"errors"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
)

// part is what a port does when its back end has gone: the link is down and
// bursts return 0 until the transport says that there is one again. Buffers stay
// where they are until then: the old back end may need a moment to notice that
// they are no longer its own. part tells whether the port goes on.
func (p *Port) part(cause error) bool {
	if p.away {
		return true
	}
	if cause == nil {
		cause = p.why()
	}
	if p.cfg.Recovery.MaxResets < 0 {
		p.fail(cause)
		return false
	}
	p.log.Warn("waiting for the back end", "cause", cause)
	p.away = true
	p.parted.Add(1)
	return p.quiesce(cause)
}

// why asks the transport how the connection ended. By now there may be another.
func (p *Port) why() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := p.t.Status(); err != nil {
		return p.lost(err)
	}
	return &transport.Error{Device: p.name, Err: transport.ErrDisconnected}
}

// rejoin sets the port up again on a back end that has come. This is not a reset
// that Config.Recovery bounds. A back end that will not be set up, perhaps because
// it is not ready itself, is left alone until the transport comes with the next
// one; if the transport cannot do that, Config.Recovery says how often to try. It
// tells whether the port goes on.
func (p *Port) rejoin() bool {
	if !p.part(nil) { // the transport has said so before, but no harm is done
		return false
	}
	p.away = false
	err := p.restart()
	switch {
	case err == nil:
		p.resume()
		return true
	case p.ctx.Err() != nil:
		return false
	case errors.Is(err, transport.ErrDisconnected):
		return p.part(err)
	}
	t, ok := p.t.(transport.Disconnecter)
	if !ok {
		return p.recover(err)
	}
	p.mu.Lock()
	t.Disconnect(err)
	p.mu.Unlock()
	return p.part(err)
}
