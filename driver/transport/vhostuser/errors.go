package vhostuser

import (
	"fmt"
	"time"
)

// OptionError is a value in Options, or a path, that cannot be used. Nothing
// was opened.
type OptionError struct {
	Option string // the field of Options, or "path"
	Value  any
	Reason string
	Remedy string
}

// Error names the value, what is wrong with it and what would do.
func (e *OptionError) Error() string {
	return fmt.Sprintf("vhost-user: %s %v: %s; %s", e.Option, e.Value, e.Reason, e.Remedy)
}

// ConnectError is a socket that could not be connected to.
type ConnectError struct {
	Path   string
	Reason string
	Remedy string
	Err    error // what the kernel answered
}

// Error names the socket, the reason and the remedy.
func (e *ConnectError) Error() string {
	return fmt.Sprintf("vhost-user:%s: %s (%v); %s", e.Path, e.Reason, e.Err, e.Remedy)
}

// Unwrap returns what the kernel answered.
func (e *ConnectError) Unwrap() error { return e.Err }

// ListenError is a socket that could not be made.
type ListenError struct {
	Path   string
	Reason string
	Remedy string
	Err    error // what the kernel answered
}

// Error names the socket, the reason and the remedy.
func (e *ListenError) Error() string {
	return fmt.Sprintf("vhost-user:%s: cannot listen: %s (%v); %s", e.Path, e.Reason, e.Err, e.Remedy)
}

// Unwrap returns what the kernel answered.
func (e *ListenError) Unwrap() error { return e.Err }

// SocketInUseError is a socket on which another process listens.
type SocketInUseError struct{ Path string }

// Error names the socket and what to do.
func (e *SocketInUseError) Error() string {
	return fmt.Sprintf("vhost-user:%s: another process listens on this socket; stop it, or take another path", e.Path)
}

// NoPeerError is a server that nobody connected to in time.
type NoPeerError struct {
	Path   string
	Waited time.Duration
	Err    error // why the wait ended, the context's error
	Last   error // how the last connection before that ended, nil if there was none
}

// Error names the socket and how to have a back end connect.
func (e *NoPeerError) Error() string {
	if e.Last != nil {
		return fmt.Sprintf("vhost-user:%s: no back end stayed (%v); the last one: %v", e.Path, e.Err, e.Last)
	}
	return fmt.Sprintf("vhost-user:%s: no back end connected within %v (%v); start it as the client of this socket (net_vhost: client=1)",
		e.Path, e.Waited.Round(time.Millisecond), e.Err)
}

// Unwrap returns why the wait ended.
func (e *NoPeerError) Unwrap() error { return e.Err }

// TimeoutError is a back end that did not do its part in time. The connection
// was ended: a reply that came later could not be told from the next one.
type TimeoutError struct {
	Message string // the request
	Waited  time.Duration
	Err     error // the context's error, nil if the request's own time was over
}

// Error names the request and the time.
func (e *TimeoutError) Error() string {
	return fmt.Sprintf("no answer to %s within %v; the back end hangs, or is no vhost-user back end",
		e.Message, e.Waited.Round(time.Millisecond))
}

// Unwrap returns the context's error.
func (e *TimeoutError) Unwrap() error { return e.Err }

// SetUpTimeoutError is a back end that answers each request in time and all of
// them together too late. The connection was ended.
type SetUpTimeoutError struct {
	Message string // the request at which the time was over
	Limit   time.Duration
}

// Error names the request, the time and what may help.
func (e *SetUpTimeoutError) Error() string {
	return fmt.Sprintf("the back end took longer than %v over all requests of a set-up, up to %s; it is short of CPU time, or its log may say why (Options.SetUpTimeout allows it more)",
		e.Limit, e.Message)
}

// ProtocolError is something a back end sent that it must not send.
type ProtocolError struct {
	Message   string // the request it was to answer, or what came
	Field     string
	Got, Want uint64
	Reason    string
}

// Error names the message, the field and both values.
func (e *ProtocolError) Error() string {
	return fmt.Sprintf("%s: %s: %s is %d (%#x), not %d (%#x)", e.Message, e.Reason, e.Field, e.Got, e.Got, e.Want, e.Want)
}

// ClosedError is a connection that the back end closed.
type ClosedError struct {
	Partial bool  // in the middle of a message
	Err     error // what reading or writing failed with
}

// Error says when the connection was closed.
func (e *ClosedError) Error() string {
	if e.Partial {
		return fmt.Sprintf("the back end closed the connection in the middle of a message (%v)", e.Err)
	}
	return fmt.Sprintf("the back end closed the connection (%v); its log may say why", e.Err)
}

// Unwrap returns what reading or writing failed with.
func (e *ClosedError) Unwrap() error { return e.Err }

// RefusedError is a request that the back end answered with a failure.
type RefusedError struct {
	Device  string
	Message string // the request and what it was about
	Code    uint64 // what the answer says, not 0; 0 if it says nothing more
}

// Error names the request.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("%s: the back end refuses %s (answer %d); its log may say why", e.Device, e.Message, e.Code)
}

// RegionError is one piece of memory more than the back end can be given.
type RegionError struct {
	Device  string
	Regions int // wanted
	Max     int
}

// Error names both numbers and what to do.
func (e *RegionError) Error() string {
	return fmt.Sprintf("%s: %d pieces of memory are to be mapped and the back end takes %d; share one pool between the ports, or make fewer pools",
		e.Device, e.Regions, e.Max)
}
