package vhostuser_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vhostuser"
	"github.com/virtio-pmd/virtio-pmd/test/fdtest"
)

const (
	// short is the timeout with a back end that does not answer, long with one that
	// does: the machine may be busy. overdue is a time by which short is over.
	short   = 200 * time.Millisecond
	long    = time.Minute
	overdue = time.Minute
)

// wrongReplies are what a back end can send in place of its reply, and the error of
// the front end. Each is sent in reply to each message in turn.
var wrongReplies = []struct {
	name string
	// answer sends something else.
	answer  func(p *peer, m msg)
	is      func(error) bool
	phrase  string
	missing bool // bytes of the reply, and the connection goes on
}{
	{"short header", func(p *peer, m msg) { _, _ = p.conn.Write([]byte{1, 0, 0}); p.conn.Close() },
		isClosed, "in the middle of a message", false},
	{"short header and no more", func(p *peer, m msg) { _, _ = p.conn.Write([]byte{1, 0, 0}) },
		isTimeout, "no answer within", true},
	{"short payload", func(p *peer, m msg) { p.send(m.id, 5, m.want(), []byte{0}); p.conn.Close() },
		isClosed, "in the middle of a message", false},
	{"short payload and no more", func(p *peer, m msg) { p.send(m.id, 5, m.want(), []byte{0}) },
		isTimeout, "no answer within", true},
	{"size too small", func(p *peer, m msg) { p.send(m.id, 5, 4, make([]byte, 4)) },
		isProtocol, "size is 4", false},
	{"size too large", func(p *peer, m msg) { p.send(m.id, 5, 4096, make([]byte, 4096)) },
		isProtocol, "size is 4096", false},
	{"size of 4 GiB", func(p *peer, m msg) { p.send(m.id, 5, 0xffffffff, u64(0)) },
		isProtocol, "0xffffffff", false},
	{"another request", func(p *peer, m msg) { p.send(m.id+100, 5, m.want(), u64(0)) },
		isProtocol, "another request", false},
	{"no reply flag", func(p *peer, m msg) { p.send(m.id, 1, m.want(), u64(0)) },
		isProtocol, "not marked as a reply", false},
	{"another version", func(p *peer, m msg) { p.send(m.id, 6, m.want(), u64(0)) },
		isProtocol, "another version", false},
	{"two answers", func(p *peer, m msg) { p.respond(m); p.respond(m) },
		isProtocol, "", false}, // not asked for, or for another request
	{"one descriptor", func(p *peer, m msg) { p.send(m.id, 5, m.want(), u64(0), 0) },
		isProtocol, "descriptors came along", false},
	{"many descriptors", func(p *peer, m msg) {
		p.send(m.id, 5, m.want(), u64(0), make([]int, 250)...)
	},
		isProtocol, "descriptors came along", false},
	{"descriptors with the payload", func(p *peer, m msg) {
		p.send(m.id, 5, m.want(), nil)
		p.send(0, 0, 0, nil, 0, 0)
	},
		isProtocol, "descriptors came along", false},
	{"no reply", func(p *peer, m msg) {}, isTimeout, "no answer within", true},
	{"closed", func(p *peer, m msg) { p.conn.Close() }, isClosed, "closed the connection", false},
	{"closed with unread descriptors", func(p *peer, m msg) {
		p.respond(m)
		p.send(m.id, 5, 8, u64(0), 0, 0)
		p.conn.Close()
	}, isProtocol, "descriptors came along", false},
}

// isPosted reports whether the front end sends a message without waiting for the reply
// to the one before: those that begin and end rings.
func isPosted(id uint32) bool { return id >= 8 && id <= 14 || id == 18 }

// want is how large the payload of the answer has to be.
func (m msg) want() uint32 {
	if m.id == 24 {
		return uint32(len(m.payload))
	}
	return 8
}

func is[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

// The errors of the front end by what happened.

func as(err error) vhostuser.Error {
	var e *vhostuser.Error
	if !errors.As(err, &e) {
		return vhostuser.Error{}
	}
	return *e
}

func isOp(op string) func(error) bool { return func(err error) bool { return as(err).Op == op } }

func isClosed(err error) bool {
	return as(err).Op == "receive" &&
		strings.HasPrefix(as(err).Reason, "the back end closed the connection")
}

func isTimeout(err error) bool {
	return strings.HasPrefix(as(err).Reason, "no answer within") &&
		(errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded))
}

func isSetUpTimeout(err error) bool {
	return as(err).Field == "SetUpTimeout" && errors.Is(err, os.ErrDeadlineExceeded)
}

// isListen reports whether the socket cannot be made, but not because it is in use.
func isListen(err error) bool { return as(err).Op == "listen" && !isInUse(err) }

// isProtocol reports whether err is about something that the back
// end must not send: its value and the right one are in the error.
func isProtocol(err error) bool {
	return as(err).Field != "" && as(err).Field != "answer" &&
		strings.HasPrefix(as(err).Reason, "not ")
}

func isRefused(err error) bool { return as(err).Field == "answer" }

func isRegions(err error) bool { return as(err).Field == "regions" }

func isInUse(err error) bool {
	return as(err).Op == "listen" && errors.Is(err, unix.EADDRINUSE) &&
		strings.Contains(err.Error(), "another process listens")
}

// answered are the messages that the front end awaits an answer to, with
// everything that a back end can offer.
func answered(t *testing.T) []uint32 {
	var ids []uint32
	b := full(t)
	b.answer = func(p *peer, m msg) bool {
		if m.flags&8 != 0 || m.id == 1 || m.id == 11 || m.id == 15 || m.id == 17 || m.id == 24 ||
			m.id == 36 || m.id == 40 {
			ids = append(ids, m.id)
		}
		return false
	}
	b.listen()
	d := open(t, b, vhostuser.Options{})
	newSteps(t, d, 2).run(t)
	_ = d.Reset(context.Background())
	if err := d.Close(); err != nil { // before it tries to connect again
		t.Error(err)
	}
	b.stop()
	return ids
}

// full is a back end that offers everything.
func full(t *testing.T) *backend {
	b := newBackend(t)
	b.protocols |= 1<<config | 1<<slots | 1<<reset
	b.config = make([]byte, 64)
	b.config[8] = 2
	return b
}

// A wrong answer to any message, of any kind, is a typed error inside the
// deadline, and leaves no file descriptor open.
func TestWrongAnswers(t *testing.T) {
	ids := answered(t)
	if len(ids) < 25 {
		t.Fatalf("only %d messages are answered", len(ids))
	}
	for _, wrong := range wrongReplies {
		t.Run(strings.ReplaceAll(wrong.name, " ", "_"), func(t *testing.T) {
			try := func(at int, timeout, limit time.Duration) {
				what := fmt.Sprintf("wrong reply %d, %s", at, names[ids[at]])
				began := time.Now()
				err := withWrongReply(t, at, timeout, wrong.answer)
				// What is missing in a reply is taken from the next one, if there is one
				// because the front end did not wait for the first.
				missing := isPosted(ids[at]) && wrong.missing && (isProtocol(err) || isRefused(err))
				if !missing && (!wrong.is(err) || !strings.Contains(err.Error(), wrong.phrase)) {
					t.Errorf("%s: %T %v", what, err, err)
				}
				if took := time.Since(began); took > limit {
					t.Errorf("%s: it took %v", what, took)
				}
			}
			// Each of these takes its time.
			if strings.HasSuffix(wrong.name, "no more") || wrong.name == "no reply" {
				closesAll(t, func() {
					var all sync.WaitGroup
					for at := range ids {
						all.Go(func() { try(at, short, overdue) })
					}
					all.Wait()
				})
				return
			}
			for at := range ids {
				closesAll(t, func() { try(at, long, long) })
			}
		})
	}
}

// closesAll finds descriptors that are left open.
func closesAll(t *testing.T, do func()) {
	t.Helper()
	before := fdtest.Count(t)
	do()
	if after := fdtest.Count(t); after > before {
		t.Fatalf("%d descriptors are open, there were %d", after, before)
	}
}

// withWrongReply brings a device up on a back end that sends one wrong reply, and
// returns the error.
func withWrongReply(t *testing.T, at int, timeout time.Duration, wrong func(p *peer, m msg)) error {
	t.Helper()
	b := full(t)
	n := 0
	b.answer = func(p *peer, m msg) bool {
		wanted := m.flags&8 != 0 || descriptors[m.id] == 0 && m.id != 2 && m.id != 3 && m.id != 16
		if !wanted {
			return false
		}
		n++
		if n-1 == at {
			wrong(p, m)
			return true
		}
		return false
	}
	err := use(t, b, timeout)
	b.stop()
	return err
}

// use brings a device up and down and returns the first error, or why the
// connection ended.
func use(t *testing.T, b *backend, timeout time.Duration) error {
	b.once = true
	b.listen()
	d, err := tryOpen(b.path, vhostuser.Options{Timeout: timeout})
	if err != nil {
		return err
	}
	defer d.Close()
	s := newSteps(t, d, 2)
	defer s.mem.Release()
	for _, step := range s.list() {
		if err := step(); err != nil {
			return err
		}
	}
	// A reset does not fail: it ends the connection. So does a wrong
	// message after the right reply.
	_ = d.Reset(context.Background())
	select {
	case e := <-d.Events():
		if e != transport.Disconnected {
			return fmt.Errorf("event %d", e)
		}
	case <-time.After(long):
		return errors.New("nothing was noticed")
	}
	_, err = d.Status()
	return err
}

// The back end closes the connection after each message in turn, also those
// that are not answered: every step after it says so, and no descriptor stays.
func TestDisconnectAtEachMessage(t *testing.T) {
	for _, protocols := range []uint64{1<<mq | 1<<replyAck | 1<<status, 0} {
		b := newBackend(t)
		b.protocols = protocols
		b.listen()
		d := open(t, b, vhostuser.Options{})
		newSteps(t, d, 2).run(t)
		_ = d.Reset(context.Background())
		messages := len(b.messages())
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		b.stop()
		if messages < 20 {
			t.Errorf("there are only %d messages", messages)
		}
		for at := 1; at <= messages; at++ {
			disconnectAt(t, protocols, at)
		}
	}
}

func disconnectAt(t *testing.T, protocols uint64, at int) {
	t.Helper()
	before := fdtest.Count(t)
	b := newBackend(t)
	b.protocols = protocols
	n := 0
	b.answer = func(p *peer, m msg) bool {
		if n++; n == at {
			_ = p.conn.Close()
		}
		return n >= at
	}
	err := use(t, b, long)
	b.stop()
	if !errors.Is(err, transport.ErrDisconnected) || !isClosed(err) {
		t.Errorf("closed at message %d: %T %v", at, err, err)
	}
	if after := fdtest.Count(t); after > before {
		t.Fatalf("closed at message %d: %d descriptors are open, there were %d", at, after, before)
	}
}
