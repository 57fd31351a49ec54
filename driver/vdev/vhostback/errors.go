package vhostback

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ProtocolError is a message that the protocol does not have, or not then. The
// connection was closed.
type ProtocolError struct {
	Request string // name of the request, or its number
	What    string // the part of it that is wrong
	Value   uint64 // what it said
	Want    string // what it may say
}

func (e *ProtocolError) Error() string {
	return fmt.Sprintf("vhost-user peer: %s: %s is %#x, expected %s", e.Request, e.What, e.Value, e.Want)
}

// MemoryError is memory that a peer wanted to share and that cannot be used.
// The connection was closed.
type MemoryError struct {
	Guest, User  uint64 // addresses of the region
	Size, Offset uint64 // bytes, and where in the file they begin
	Reason       string
	Err          error // of the system, nil if it was not asked
}

func (e *MemoryError) Error() string {
	text := fmt.Sprintf("vhost-user peer: %d bytes of memory at guest address %#x, user address %#x, file offset %#x: %s",
		e.Size, e.Guest, e.User, e.Offset, e.Reason)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *MemoryError) Unwrap() error { return e.Err }

// RingError is a ring that breaks a rule, before it was started or while it
// ran. The connection was closed.
type RingError struct {
	Ring   int    // number of the virtqueue, -1 if none in particular
	Rule   string // ID in test/conformance/rules.md, "" for a rule of the protocol
	Reason string
}

func (e *RingError) Error() string {
	text := "vhost-user peer: "
	if e.Ring >= 0 {
		text += fmt.Sprintf("ring %d: ", e.Ring)
	}
	text += e.Reason
	if e.Rule != "" {
		text += " (" + e.Rule + ")"
	}
	return text
}

// PeerError is a connection that broke: in the middle of a message, by silence
// in the middle of one, or with answers that nobody fetched.
type PeerError struct {
	Doing string // "reading a message", "answering GET_FEATURES"
	Err   error
}

func (e *PeerError) Error() string {
	return fmt.Sprintf("vhost-user peer: %s: %v", e.Doing, e.Err)
}

func (e *PeerError) Unwrap() error { return e.Err }

// SocketError is a socket that cannot be listened on or connected to.
type SocketError struct {
	Path   string
	Reason string
	Remedy string
	Err    error // of the system, nil if it was not asked
}

func (e *SocketError) Error() string {
	text := fmt.Sprintf("vhost-user socket %q: %s", e.Path, e.Reason)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text + "; " + e.Remedy
}

func (e *SocketError) Unwrap() error { return e.Err }

// SocketInUseError is a socket at which another process listens already.
type SocketInUseError struct{ Path string }

func (e *SocketInUseError) Error() string {
	return fmt.Sprintf("vhost-user socket %q: another process listens there; end it, or take another path", e.Path)
}

// refusal is a message that is as it should be and asks for what this device
// does not do. The peer is told so if it wants to know; the connection goes on.
type refusal struct{ reason string }

func (e *refusal) Error() string { return e.reason }

// wrong is a ProtocolError about a message.
func (m *message) wrong(what string, value uint64, want string, args ...any) error {
	return &ProtocolError{m.request.String(), what, value, fmt.Sprintf(want, args...)}
}

func remedyOf(err error) string {
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		return "make the directory first"
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return "take a directory that this user may write to"
	case errors.Is(err, unix.EROFS):
		return "take a path on a file system that can be written to"
	}
	return "take another path"
}
