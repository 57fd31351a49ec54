package vhostback

import (
	"errors"
	"io"
	"log/slog"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// session is one peer: what it negotiated and what it shares. It belongs to the
// goroutine that reads its messages.
type session struct {
	conn   *conn
	unit   *unit
	engine engine // and the rest are those of unit
	calls  *calls
	faults *eventfds
	kicks  *kicks
	slots  int
	state  *state // nil without Config.State
	log    *slog.Logger
	// said is called after each message, with whether a ring runs.
	said func(running bool)
	// changed is called when packets can flow or cannot any more, with the features.
	changed func(up bool, f virtio.Features)

	proto      uint64 // protocol features in force
	features   uint64 // as SET_FEATURES had them, bit 30 with them
	negotiated bool   // SET_FEATURES came with VERSION_1
	status     virtio.Status
	memory     table
	rings      []ring
	inflight   region // the peer's record of buffers in flight, from SET_INFLIGHT_FD
	queueSize  int    // and the size of the rings that it is for; 0: there is none
	attached   int    // the descriptor that goes with the next reply, -1 for none
	begun      bool   // the engine was begun
	up         bool   // the last argument of changed
}

func newSession(c *conn, b *Backend, u *unit) *session {
	return &session{
		conn: c, unit: u, engine: u.engine, calls: u.calls, faults: u.faults, kicks: u.kicks,
		slots: b.cfg.Slots, log: b.cfg.Logger, rings: make([]ring, 2*u.engine.Pairs()),
		attached: -1, state: b.state,
		said: func(running bool) {
			var since int64
			if !running {
				since = time.Now().UnixNano()
			}
			b.silent.Store(since)
		},
		changed: func(up bool, f virtio.Features) {
			if !u.lost.Load() {
				b.changed(up, f)
			}
		},
	}
}

// wait calls do, which may wait for memory of the peer.
func (s *session) wait(do func() error) error { return s.unit.wait(&s.unit.session, do) }

// serve handles messages until the peer disconnects, for which it returns nil, or
// breaks the protocol.
func (s *session) serve() error {
	for {
		if err := s.next(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// next reads and handles one message.
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
	s.said(s.begun)
	var refused *refusal
	switch {
	case err == nil && k.replies:
		return s.answer(m.request, answer)
	case err == nil || errors.As(err, &refused):
		if refused != nil {
			s.log.Warn("vhost-user request refused", "request", k.name, "reason", refused.reason)
		}
		return s.acknowledge(m, err == nil)
	}
	if !k.replies {
		// Best effort: the peer can report what failed before the connection ends.
		_ = s.acknowledge(m, false)
	}
	return err
}

// answer sends a reply, with the descriptor that was attached.
func (s *session) answer(r request, payload []byte) error {
	b := reply(r, payload)
	if s.attached < 0 {
		return s.conn.write(r, b)
	}
	fd := s.attached
	s.attached = -1
	return errors.Join(s.conn.write(r, b, fd), unix.Close(fd))
}

// acknowledge sends the reply to a message that has no other, if the peer asked for
// one.
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

// check checks what is the same for all messages.
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

// device returns the device features that the peer accepted.
func (s *session) device() virtio.Features { return virtio.Features{s.features &^ (1 << protocolBit)} }

// end releases everything that the peer shared.
func (s *session) end() {
	s.reset()
	for i := range s.rings {
		s.closeEventfds(i)
	}
	s.engine.SetNoKick(false)
	if err := s.engine.Remap(nil, nil); err != nil {
		// A leak is better than unmapping memory that the engine uses.
		s.log.Error("vhost-user memory is kept", "err", err)
		return
	}
	s.memory.release()
	s.memory = nil
}

// reset stops all rings. The memory stays; the record of buffers in flight is about rings
// that are not there any more.
func (s *session) reset() {
	s.engine.End()
	s.dropInflight()
	s.begun, s.negotiated, s.features, s.status = false, false, 0, 0
	for i := range s.rings {
		r := &s.rings[i]
		r.started, r.hasKick, r.hasAddr, r.enabled, r.size, r.base, r.hasBase = false, false, false, false, 0, 0, false
	}
	s.report()
}

// closeEventfds closes the descriptors of ring i.
func (s *session) closeEventfds(i int) {
	_ = s.kicks.set(i, -1)
	s.calls.set(i, -1)
	s.faults.set(i, -1)
}

// reportFailure signals the error eventfds of all rings, if the peer sent them.
func (s *session) reportFailure() {
	for i := range s.rings {
		s.faults.signal(i)
	}
}

// report calls changed if packets can flow and could not before, or the reverse.
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
