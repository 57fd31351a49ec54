package vhostback

import (
	"errors"
	"io"
	"log/slog"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// session is one peer: what it negotiated and what it shares. It belongs to the
// goroutine that reads its messages.
type session struct {
	conn   *conn
	engine engine
	calls  *calls
	faults *eventfds
	kicks  *kicks
	slots  int
	log    *slog.Logger
	// changed is told whether packets can flow, and with which features.
	changed func(up bool, f virtio.Features)

	proto    uint64 // protocol features in force
	features uint64 // as SET_FEATURES had them, bit 30 with them
	settled  bool   // SET_FEATURES came, and its features will do
	status   virtio.Status
	memory   table
	rings    []vring
	live     bool // the engine was begun
	up       bool // what changed was told last
}

func newSession(c *conn, b *Backend) *session {
	return &session{conn: c, engine: b.engine, calls: b.calls, faults: b.faults, kicks: b.kicks, slots: b.cfg.Slots, log: b.cfg.Logger,
		changed: b.changed, rings: make([]vring, 2*b.engine.Pairs())}
}

// serve answers messages until the peer goes away, for which it returns nil, or
// does something wrong.
func (s *session) serve() error {
	for {
		if err := s.next(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// next reads one message and carries it out.
func (s *session) next() error {
	m, err := s.conn.read()
	defer m.drop()
	if err != nil {
		return err
	}
	k := kindOf(m.request)
	if err := s.check(m, k); err != nil {
		return err
	}
	s.log.Debug("vhost-user message", "request", k.name, "bytes", len(m.payload), "descriptors", len(m.fds))
	answer, err := k.handle(s, m)
	var refused *refusal
	switch {
	case err == nil && k.answers:
		return s.conn.write(m.request, reply(m.request, answer))
	case err == nil || errors.As(err, &refused):
		if refused != nil {
			s.log.Warn("vhost-user request refused", "request", k.name, "reason", refused.reason)
		}
		return s.acknowledge(m, err == nil)
	}
	if !k.answers {
		// Best effort: the peer can say what went wrong before it is cut off.
		_ = s.acknowledge(m, false)
	}
	return err
}

// acknowledge answers a message that has no answer of its own, if the peer
// wants to know.
func (s *session) acknowledge(m *message, ok bool) error {
	if m.flags&wantsReply == 0 {
		return nil
	}
	var v uint64
	if !ok {
		v = 1
	}
	return s.conn.write(m.request, reply(m.request, numberBytes(v)))
}

// check looks at what can be told without knowing what the message means.
func (s *session) check(m *message, k *kind) error {
	switch {
	case m.flags&versionMask != version:
		return m.wrong("version", uint64(m.flags&versionMask), "1")
	case m.flags&isReply != 0:
		return m.wrong("flags", uint64(m.flags), "a request, not a reply")
	case m.flags&^(versionMask|wantsReply) != 0:
		return m.wrong("flags", uint64(m.flags), "none but version and need_reply")
	case m.flags&wantsReply != 0 && !s.has(protoReplyAck):
		return m.wrong("flags", uint64(m.flags), "no need_reply without REPLY_ACK")
	case k == nil:
		return m.wrong("request", uint64(m.request), "one that this back end has")
	case k.proto >= 0 && !s.has(k.proto):
		return m.wrong("request", uint64(m.request), "one of the negotiated protocol features (bit %d is missing)", k.proto)
	case k.size >= 0 && len(m.payload) != k.size:
		return m.wrong("payload size", uint64(len(m.payload)), "%d", k.size)
	case len(m.fds) < k.least || len(m.fds) > k.most:
		return m.wrong("number of descriptors", uint64(len(m.fds)), "%d to %d", k.least, k.most)
	}
	return nil
}

func (s *session) has(proto int) bool { return s.proto>>proto&1 != 0 }

// device returns the features of the device that the peer accepted.
func (s *session) device() virtio.Features { return virtio.Features{s.features &^ (1 << protocolBit)} }

// end gives everything back that the peer shared.
func (s *session) end() {
	s.reset()
	for i := range s.rings {
		s.forget(i)
	}
	s.engine.SetNoKick(false)
	if err := s.engine.Remap(nil, nil); err != nil {
		// Unmapping under its feet would be worse than a leak.
		s.log.Error("vhost-user memory is kept", "err", err)
		return
	}
	s.memory.release()
	s.memory = nil
}

// reset stops all rings. The memory stays.
func (s *session) reset() {
	s.engine.End()
	s.live, s.settled, s.features, s.status = false, false, 0, 0
	for i := range s.rings {
		r := &s.rings[i]
		r.started, r.kicked, r.placed, r.enabled, r.size, r.base, r.based = false, false, false, false, 0, 0, false
	}
	s.report()
}

// forget closes the descriptors of ring i.
func (s *session) forget(i int) {
	_ = s.kicks.set(i, -1)
	s.calls.set(i, -1)
	s.faults.set(i, -1)
}

// lament signals the error eventfds of all rings, for a peer that has them.
func (s *session) lament() {
	for i := range s.rings {
		s.faults.signal(i)
	}
}

// report tells whoever wants to know whether packets can flow.
func (s *session) report() {
	up := false
	for i := range s.rings {
		up = up || s.rings[i].started && s.enabled(i)
	}
	if up != s.up {
		s.up = up
		s.changed(up, s.device())
	}
}
