package vhostback

import (
	"fmt"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/nofile"
)

// Error is a socket that cannot be used, or why a connection was closed: a message
// that the protocol does not have or not at that moment, memory that cannot be
// shared, or a connection that broke.
//
// errors.Is finds what the system call failed with: fs.ErrNotExist,
// fs.ErrPermission, unix.EADDRINUSE where another process listens already.
type Error struct {
	Device string // "vhost-user peer", or "vhost-user socket" and its path
	Op     string // the name of a request, or opMemory, opRead, opListen ...
	Field  string // the part of a message that Value belongs to
	Value  uint64
	Reason string // "" if Err says it
	Remedy string // "" if there is none
	Err    error  // the cause, nil if Reason says all
}

// The operations that are not requests.
const (
	opMessage = "a message"
	opRead    = "reading a message"
	opAnswer  = "answering " // and the name of the request
	opMemory  = "shared memory"
	opListen  = "listen"
	opNotify  = "notifying the driver"
)

const thePeer = "vhost-user peer"

// Error names the device, the operation, the value, the reason and the remedy.
func (e *Error) Error() string {
	text := e.Device + ": " + e.Op
	if e.Field != "" {
		text += fmt.Sprintf(": %s is %#x", e.Field, e.Value)
	}
	switch {
	case e.Reason == "":
		text += fmt.Sprintf(": %v", e.Err)
	case e.Err == nil:
		text += ": " + e.Reason
	default:
		text += fmt.Sprintf(": %s (%v)", e.Reason, e.Err)
	}
	if e.Remedy != "" {
		text += "; " + e.Remedy
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// RingError is a ring that breaks a rule, before it was started or while it
// ran. The connection was closed.
type RingError struct {
	Ring   int    // number of the virtqueue, -1 if none in particular
	Rule   string // number in the project's list of rules, "" for one of the protocol
	Reason string
}

// Error names the ring, the reason and the rule.
func (e *RingError) Error() string {
	text := thePeer + ": "
	if e.Ring >= 0 {
		text += fmt.Sprintf("ring %d: ", e.Ring)
	}
	text += e.Reason
	if e.Rule != "" {
		text += " (" + e.Rule + ")"
	}
	return text
}

// refusal is a valid message that asks for what this device does not do. It is
// refused if the peer asked for an acknowledgement; the connection goes on.
type refusal struct{ reason string }

func (e *refusal) Error() string { return e.reason }

// wrong is a part of a message that has another value than the protocol allows.
func (m *message) wrong(field string, value uint64, want string, args ...any) error {
	return protocolError(m.request.String(), field, value, want, args...)
}

func protocolError(op, field string, value uint64, want string, args ...any) error {
	return &Error{Device: thePeer, Op: op, Field: field, Value: value, Reason: "expected " + fmt.Sprintf(want, args...)}
}

// peerError is a connection that broke: in the middle of a message, by a timeout in
// the middle of one, or with answers that the peer does not read.
func peerError(op string, err error) error { return &Error{Device: thePeer, Op: op, Err: err} }

// eventfdError is the eventfd of a ring that cannot be written to, because of err, or if
// that is nil because the peer has filled it.
func eventfdError(ring int, err error) error {
	e := &Error{Device: thePeer, Op: opNotify, Field: "ring", Value: uint64(ring), Err: err}
	if err == nil {
		e.Reason = "the peer filled the counter of the eventfd, which blocks writes"
	}
	return e
}

// descriptorError is a descriptor that this process cannot have. The peer has no part
// in it.
func descriptorError(op string, err error) error {
	e := &Error{Device: "vhost-user back end", Op: op, Err: err}
	e.Reason, e.Remedy = nofile.Explain(err)
	return e
}

// socketError is a socket that cannot be listened on.
func socketError(path, reason, remedy string, err error) error {
	return &Error{Device: fmt.Sprintf("vhost-user socket %q", path), Op: opListen, Reason: reason, Remedy: remedy, Err: err}
}
