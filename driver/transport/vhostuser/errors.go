package vhostuser

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/nofile"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
)

// The operations that decisions and tests go by; all others are requests.
const (
	opOpen    = "open"
	opConnect = "connect"
	opListen  = "listen"
	opAccept  = "accept"
	opReceive = "receive"
	opKick    = "kick"
)

// Error is what a [Device] fails with beyond the errors of package transport: an
// option or a socket that cannot be used, or something a back end did. When that
// has ended the connection it is found in the error around transport.ErrDisconnected.
//
// errors.Is finds os.ErrDeadlineExceeded, or the error of the context, in a request
// that was not answered in time, and what the system call failed with in a socket
// that cannot be used: fs.ErrNotExist, fs.ErrPermission, unix.EADDRINUSE.
type Error struct {
	Device string // "vhost-user:" and the path; "" where the error around it names it
	// Op is "open" for an option, "connect", "listen" or "accept" for a socket,
	// "receive" for a connection that the back end closed, "kick" for a doorbell, or a
	// request.
	Op     string
	Field  string // what Value belongs to: an option, or a field of a reply
	Value  any
	Reason string
	Remedy string
	Err    error // the cause, nil if Reason says all
}

// Error names the device, the operation, the value, the reason and the remedy.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Device != "" {
		b.WriteString(e.Device + ": ")
	}
	b.WriteString(e.Op + ": ")
	switch v := e.Value.(type) {
	case nil:
	case uint64:
		fmt.Fprintf(&b, "%s is %d (%#x): ", e.Field, v, v)
	default:
		fmt.Fprintf(&b, "%s %v: ", e.Field, v)
	}
	b.WriteString(e.Reason)
	if e.Err != nil {
		fmt.Fprintf(&b, " (%v)", e.Err)
	}
	if e.Remedy != "" {
		b.WriteString("; " + e.Remedy)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// optionError is a value in Options, or a path, that cannot be used. Nothing was
// opened.
func optionError(option string, value any, reason, remedy string) error {
	return &Error{Device: "vhost-user", Op: opOpen, Field: option, Value: value, Reason: reason,
		Remedy: remedy}
}

// timeoutError is a back end that did not answer a request in time. The connection
// is ended: a later reply could not be told from the next one.
func timeoutError(request string, waited time.Duration, cause error) error {
	return &Error{Op: request,
		Reason: fmt.Sprintf("no answer within %v", waited.Round(time.Millisecond)),
		Remedy: "the back end hangs, or is not a vhost-user back end", Err: cause}
}

// protocolError is something a back end sent that it must not send, in reply to a
// request or without one.
func protocolError(request, field string, got, want uint64, reason string) error {
	return &Error{Op: request, Field: field, Value: got,
		Reason: fmt.Sprintf("not %d (%#x): %s", want, want, reason)}
}

// fullError is a back end that filled the counter of the eventfd by which it is
// notified of buffers in ring i, which blocks a write.
func fullError(i int) error {
	return &Error{Op: opKick, Field: "ring", Value: uint64(i),
		Reason: "the back end filled the counter of the eventfd, which blocks doorbells",
		Remedy: "restart or update the back end"}
}

// closedError is a connection that the back end closed, noticed by a read or a
// write that failed with cause. partial says that a message was cut off.
func closedError(partial bool, cause error) error {
	e := &Error{Op: opReceive, Reason: "the back end closed the connection",
		Remedy: "its log may say why", Err: cause}
	if partial {
		e.Reason += " in the middle of a message"
	}
	return e
}

// fileError is a descriptor of this process that could not be made. The back end has
// no part in it.
func fileError(device, op string, err error) error {
	e := &Error{Device: device, Op: op, Err: err}
	if e.Reason, e.Remedy = nofile.Explain(err); e.Reason == "" {
		e.Reason = "it cannot be created"
	}
	return e
}

// isLocal reports whether a message could not be sent for a reason in this process: a
// descriptor that goes with it is closed, or the kernel is short of memory. What the back
// end does to a connection has other errors.
func isLocal(err error) bool {
	var errno unix.Errno
	return errors.As(err, &errno) && slices.Contains([]unix.Errno{unix.EBADF, unix.EINVAL, unix.EFAULT,
		unix.EMSGSIZE, unix.EPERM, unix.ETOOMANYREFS, unix.ENOMEM, unix.ENOBUFS}, errno)
}

// localError is a request that this process could not send.
func localError(device, request string, err error) error {
	e := &transport.Error{Device: device, Op: request, Reason: "it cannot be sent",
		Err: fmt.Errorf("%w: %w", transport.ErrLocal, err)}
	if errors.Is(err, unix.EBADF) {
		e.Remedy = "do not release memory that is mapped"
	}
	return e
}

// regionError is one piece of memory more than the back end can be given.
func regionError(device string, regions, limit int) error {
	return &Error{Device: device, Op: "mapping memory", Field: "regions", Value: uint64(regions),
		Reason: fmt.Sprintf("the back end takes %d pieces of memory", limit),
		Remedy: "share one pool between the ports, or make fewer pools"}
}
