package vhostuser

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// session is one connection, from the first byte to the last. Requests are made
// from one goroutine at a time; another goroutine reads everything that arrives.
type session struct {
	name    string
	sock    socket
	timeout time.Duration // of one request
	budget  time.Duration // of all requests of a set-up
	// remaining is what is left of the budget, or unlimited.
	remaining time.Duration
	ready     atomic.Bool // DRIVER_OK was reached

	mu       sync.Mutex
	awaited  []expectation // the replies that may come, in this order; guarded by mu
	replies  chan []byte   // payloads; holds as many as are awaited at most
	done     chan struct{}
	doneOnce sync.Once
	err      error // how it ended; written before done is closed
	running  sync.WaitGroup

	posted    []posted // requests whose replies have not been read, in their order
	refusal   error    // the first one among replies, until settle returns it
	batching  bool     // requests are posted; settle follows
	unsettled bool     // a queue was set up, and it is not known yet whether that worked

	negotiated // by begin

	// What the back end has been given.
	features uint64 // accepted, with bit 30; 0 before SET_FEATURES
	packed   bool   // RING_PACKED is among them
	dirty    bool   // a device status or features were sent: there is something to reset
	written  virtio.Status
	memory   []region
	rings    map[int]*ring // started, by their numbers
	active   int           // pairs in use, 0 before SetQueuePairs
	faults   *faultPipe
}

// unlimited is the remaining time when no set-up is going on.
const unlimited = time.Duration(math.MaxInt64)

// newSession returns the session of conn, with a budget for the first requests.
func newSession(name string, conn *net.UnixConn, timeout, budget time.Duration) *session {
	s := &session{name: name, sock: socket{conn}, timeout: timeout,
		budget: budget, remaining: budget,
		replies: make(chan []byte, maxPosted), done: make(chan struct{}), rings: make(map[int]*ring)}
	s.running.Go(s.read)
	return s
}

// end ends the connection for the reason err. Only the first reason counts.
func (s *session) end(err error) {
	s.doneOnce.Do(func() {
		s.err = err
		// The kernel closes the descriptors that are still unread in the socket.
		_ = s.sock.conn.Close()
		close(s.done)
	})
}

// close ends the connection and returns when its goroutines have ended.
func (s *session) close() {
	s.end(os.ErrClosed)
	if s.faults != nil {
		s.faults.close()
	}
	s.running.Wait()
}

// disconnected is the error of a request after the end of the connection.
func (s *session) disconnected() error { return disconnectedError(s.name, s.err) }

// disconnectedError is the error of a device without a connection, which ended for
// the reason cause.
func disconnectedError(device string, cause error) *transport.Error {
	return &transport.Error{Device: device,
		Err: fmt.Errorf("%w: %w", transport.ErrDisconnected, cause)}
}

// endWith has the connection end when ctx does, until stop is called.
func (s *session) endWith(ctx context.Context, doing string) (stop func() bool) {
	start := time.Now()
	return context.AfterFunc(ctx, func() {
		s.end(timeoutError(doing, time.Since(start), ctx.Err()))
	})
}

// call sends a request and returns the payload of its reply.
func (s *session) call(m message, needReply bool, want expectation) (reply []byte, err error) {
	if err := s.settle(); err != nil {
		return nil, err
	}
	err = s.post(m, needReply, want, func(b []byte) error {
		reply = b
		return nil
	})
	if err == nil {
		err = s.settle()
	}
	return reply, err
}

// send sends a request. A failed write ends the connection.
func (s *session) send(m message, needReply bool) error {
	limit := s.requestLimit()
	defer s.spend(time.Now())
	err := s.sock.send(m.encode(needReply), m.fds, time.Now().Add(limit))
	if errors.Is(err, unix.ETOOMANYREFS) { // more descriptors in the socket than this user may have
		s.drain()
		err = s.sock.send(m.encode(needReply), m.fds, time.Now().Add(limit))
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.end(s.requestTimeout(m, limit))
	case isLocal(err): // nothing was sent, and the back end knows nothing of it
		return localError(s.name, m.request.String(), err)
	default:
		// The reader reaches the end as well, after everything that is still unread:
		// that may say why.
		timer := time.NewTimer(s.timeout)
		defer timer.Stop()
		select {
		case <-s.done:
		case <-timer.C:
			s.end(closedError(false, err))
		}
	}
	return s.disconnected()
}

// requestLimit is how long the back end may take over a request.
func (s *session) requestLimit() time.Duration { return min(s.timeout, s.remaining) }

// spend takes the time since began off the budget.
func (s *session) spend(began time.Time) {
	if s.remaining != unlimited {
		s.remaining = max(0, s.remaining-time.Since(began))
	}
}

// requestTimeout is the error of a request that took longer than limit.
func (s *session) requestTimeout(m message, limit time.Duration) error {
	if limit < s.timeout {
		return &Error{Op: m.request.String(), Field: "SetUpTimeout", Value: s.budget,
			Err:    os.ErrDeadlineExceeded,
			Reason: "the back end took longer over all requests of a set-up, of which this was the last",
			Remedy: "it or this process is short of CPU time, or its log may say why " +
				"(Options.SetUpTimeout allows it more)"}
	}
	return timeoutError(m.request.String(), s.timeout, os.ErrDeadlineExceeded)
}

// withBudget calls do, which makes many requests, with a budget of its own.
func (s *session) withBudget(do func() error) error {
	s.remaining = s.budget
	defer func() { s.remaining = unlimited }()
	return do()
}

// query makes a request that is answered with a u64.
func (s *session) query(r request) (uint64, error) {
	b, err := s.call(emptyMessage(r), false, expectation{request: r, size: u64Len})
	if err != nil {
		return 0, err
	}
	v, err := decodeU64(r, b)
	if err != nil {
		s.end(err)
		return 0, s.disconnected()
	}
	return v, nil
}

// command makes a request that has no reply of its own. With REPLY_ACK its success
// is awaited, here or in a batch later. what is added to the name of the request in an
// error.
func (s *session) command(m message, what string) error {
	if !s.acknowledges() {
		return s.send(m, false)
	}
	return s.post(m, true, expectation{request: m.request, size: u64Len}, func(b []byte) error {
		code, err := decodeU64(m.request, b)
		switch {
		case err != nil:
			s.end(err)
			return s.disconnected()
		case code != 0:
			return &Error{Device: s.name, Op: m.request.String() + what, Field: "answer",
				Value: code, Reason: "the back end refuses the request",
				Remedy: "its log may say why"}
		}
		return nil
	})
}

// fence returns when all earlier commands have been carried out. With REPLY_ACK
// they have been when they are acknowledged; without it messages are carried out in
// order, so that the reply to a harmless request shows it.
func (s *session) fence() error {
	s.unsettled = false
	if s.acknowledges() {
		return s.settle()
	}
	_, err := s.query(getFeatures)
	return err
}

// read reads messages until the connection ends. Being the only reader, it notices
// at once that a back end has closed the connection.
func (s *session) read() {
	for {
		if err := s.readReply(); err != nil {
			s.end(err)
			return
		}
	}
}

// readReply reads one message and sends its payload to the goroutine that awaits it.
func (s *session) readReply() error {
	var b [headerLen]byte
	if err := s.sock.receive(b[:]); err != nil {
		return s.readError(err, 0)
	}
	h := decodeHeader(&b)
	if err := s.expected().check(h); err != nil {
		return err
	}
	payload := make([]byte, h.size)
	if err := s.sock.receive(payload); err != nil {
		return s.readError(err, headerLen)
	}
	s.replies <- payload
	return nil
}

// expected returns what the next message has to be, nil if none may come.
func (s *session) expected() *expectation {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.awaited) == 0 {
		return nil
	}
	want := s.awaited[0]
	s.awaited = s.awaited[1:]
	return &want
}

// readError says why nothing more could be read, after a number of bytes of a
// message.
func (s *session) readError(err error, got int) error {
	if err == errDescriptors {
		return protocolError("a message", "number of descriptors", 1, 0,
			"file descriptors came along, which were closed")
	}
	return closedError(got != 0 || errors.Is(err, io.ErrUnexpectedEOF), err)
}
