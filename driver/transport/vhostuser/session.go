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

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// session is one connection, from the first byte to the last. Requests are made
// from one goroutine at a time; another one reads all that comes.
type session struct {
	name    string
	sock    socket
	timeout time.Duration // of one request
	budget  time.Duration // of all requests of a set-up
	left    time.Duration // of the budget, or unlimited
	worked  atomic.Bool   // DRIVER_OK was reached

	mu       sync.Mutex
	awaited  *expectation // the reply that may come; guarded by mu
	replies  chan []byte  // payloads; holds one, and no more than one is awaited
	done     chan struct{}
	doneOnce sync.Once
	err      error // how it ended; written before done is closed
	running  sync.WaitGroup

	// Agreed upon in the beginning (negotiate.go).
	terms

	// What the back end has been given.
	features uint64 // accepted, with bit 30; 0 before SET_FEATURES
	packed   bool   // RING_PACKED is among them
	told     bool   // of a device status or of features: there is something to reset
	written  virtio.Status
	memory   []region
	rings    map[int]*ring // started, by their numbers
	faults   *faultPipe
}

// unlimited is more time than anybody has.
const unlimited = time.Duration(math.MaxInt64)

// newSession begins with a budget for the first requests.
func newSession(name string, conn *net.UnixConn, timeout, budget time.Duration) *session {
	s := &session{name: name, sock: socket{conn}, timeout: timeout, budget: budget, left: budget,
		replies: make(chan []byte, 1), done: make(chan struct{}), rings: make(map[int]*ring)}
	s.running.Go(s.read)
	return s
}

// end ends the connection for the reason err. Only the first reason counts.
func (s *session) end(err error) {
	s.doneOnce.Do(func() {
		s.err = err
		// The kernel closes whatever is still unread in the socket.
		_ = s.sock.conn.Close()
		close(s.done)
	})
}

// close ends the connection and returns when nothing of it is left.
func (s *session) close() {
	s.end(os.ErrClosed)
	if s.faults != nil {
		s.faults.close()
	}
	s.running.Wait()
}

// lost is what requests return when there is no connection any more.
func (s *session) lost() error { return disconnectedError(s.name, s.err) }

// disconnectedError is the error of a device without a connection, which ended for
// the reason cause.
func disconnectedError(device string, cause error) *transport.Error {
	return &transport.Error{Device: device, Err: fmt.Errorf("%w: %w", transport.ErrDisconnected, cause)}
}

// endWith has the connection end when ctx does, until stop is called.
func (s *session) endWith(ctx context.Context, doing string) (stop func() bool) {
	start := time.Now()
	return context.AfterFunc(ctx, func() {
		s.end(timeoutError(doing, time.Since(start), ctx.Err()))
	})
}

// call sends a request and returns the payload of its reply.
func (s *session) call(m message, needReply bool, want expectation) ([]byte, error) {
	s.mu.Lock()
	s.awaited = &want
	s.mu.Unlock()
	if err := s.send(m, needReply); err != nil {
		return nil, err
	}
	limit := s.patience()
	defer s.spend(time.Now())
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case b := <-s.replies:
		return b, nil
	case <-timer.C:
		s.end(s.late(m, limit))
	case <-s.done:
	}
	select { // a refusal that was followed by the end of the connection is still the better answer
	case b := <-s.replies:
		return b, nil
	default:
		return nil, s.lost()
	}
}

// send sends a request. A connection that cannot be written to is over.
func (s *session) send(m message, needReply bool) error {
	limit := s.patience()
	defer s.spend(time.Now())
	err := s.sock.send(m.encode(needReply), m.fds, time.Now().Add(limit))
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.end(s.late(m, limit))
	default:
		// The reader comes to the end as well, past what is still to be read:
		// that may say why.
		timer := time.NewTimer(s.timeout)
		defer timer.Stop()
		select {
		case <-s.done:
		case <-timer.C:
			s.end(closedError(false, err))
		}
	}
	return s.lost()
}

// patience is how long the back end may take over a request.
func (s *session) patience() time.Duration { return min(s.timeout, s.left) }

// spend takes what the back end took since began off the budget.
func (s *session) spend(began time.Time) {
	if s.left != unlimited {
		s.left = max(0, s.left-time.Since(began))
	}
}

// late is the error of a request that was given limit.
func (s *session) late(m message, limit time.Duration) error {
	if limit < s.timeout {
		return &Error{Op: m.request.String(), Field: "SetUpTimeout", Value: s.budget, Err: os.ErrDeadlineExceeded,
			Reason: "the back end took longer over all requests of a set-up, of which this was the last",
			Remedy: "it is short of CPU time, or its log may say why (Options.SetUpTimeout allows it more)"}
	}
	return timeoutError(m.request.String(), s.timeout, os.ErrDeadlineExceeded)
}

// within does something that takes many requests with a budget of its own.
func (s *session) within(do func() error) error {
	s.left = s.budget
	defer func() { s.left = unlimited }()
	return do()
}

// ask makes a request that is answered with one number.
func (s *session) ask(r request) (uint64, error) {
	b, err := s.call(plain(r), false, expectation{request: r, size: u64Len})
	if err != nil {
		return 0, err
	}
	v, err := decodeNumber(r, b)
	if err != nil {
		s.end(err)
		return 0, s.lost()
	}
	return v, nil
}

// tell makes a request that has no reply of its own. With REPLY_ACK its success
// is awaited. what adds to the request's name in an error.
func (s *session) tell(m message, what string) error {
	if !s.acknowledges() {
		return s.send(m, false)
	}
	b, err := s.call(m, true, expectation{request: m.request, size: u64Len})
	if err != nil {
		return err
	}
	code, err := decodeNumber(m.request, b)
	if err != nil {
		s.end(err)
		return s.lost()
	}
	if code != 0 {
		return &Error{Device: s.name, Op: m.request.String() + what, Field: "answer", Value: code,
			Reason: "the back end refuses the request", Remedy: "its log may say why"}
	}
	return nil
}

// fence returns when everything that was told has been carried out. With
// REPLY_ACK that is so anyway; without, messages are carried out in order, so
// that the answer to a harmless request will do.
func (s *session) fence() error {
	if s.acknowledges() {
		return nil
	}
	_, err := s.ask(getFeatures)
	return err
}

// read takes what comes until the connection ends. Being the only reader, it
// notices at once that a back end has gone.
func (s *session) read() {
	for {
		if err := s.readReply(); err != nil {
			s.end(err)
			return
		}
	}
}

// readReply reads one message and hands its payload over.
func (s *session) readReply() error {
	var b [headerLen]byte
	if err := s.sock.receive(b[:]); err != nil {
		return s.broken(err, 0)
	}
	h := decodeHeader(&b)
	s.mu.Lock()
	want := s.awaited
	s.awaited = nil
	s.mu.Unlock()
	if err := want.check(h); err != nil {
		return err
	}
	payload := make([]byte, h.size)
	if err := s.sock.receive(payload); err != nil {
		return s.broken(err, headerLen)
	}
	s.replies <- payload
	return nil
}

// broken says why nothing more could be read, after a number of bytes of a
// message.
func (s *session) broken(err error, got int) error {
	if err == errDescriptors {
		return protocolError("a message", "number of descriptors", 1, 0, "file descriptors came along, which were closed")
	}
	return closedError(got != 0 || errors.Is(err, io.ErrUnexpectedEOF), err)
}
