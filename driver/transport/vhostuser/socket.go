package vhostuser

import (
	"errors"
	"io"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// socket sends and receives bytes and descriptors. One goroutine may send while
// another receives.
type socket struct{ conn *net.UnixConn }

// send writes a whole message. Descriptors go with its first byte, in the same
// call: back ends read header and descriptors together.
func (s socket) send(b []byte, fds []int, deadline time.Time) error {
	if err := s.conn.SetWriteDeadline(deadline); err != nil {
		return err
	}
	var oob []byte
	if len(fds) != 0 {
		oob = unix.UnixRights(fds...)
	}
	n, _, err := s.conn.WriteMsgUnix(b, oob, nil)
	for err == nil && n < len(b) {
		var more int
		more, err = s.conn.Write(b[n:])
		n += more
	}
	return err
}

// errDescriptors is the error of receive for bytes that came with descriptors.
var errDescriptors = errors.New("file descriptors came along")

// receive fills b. The end of the stream is io.EOF before the first byte and
// io.ErrUnexpectedEOF after it.
//
// No reply that this front end expects carries descriptors, so none is accepted:
// without room for control data the kernel closes them itself and sets MSG_CTRUNC.
func (s socket) receive(b []byte) error {
	for got := 0; got < len(b); {
		n, _, flags, _, err := s.conn.ReadMsgUnix(b[got:], nil)
		switch {
		case err == nil && flags&unix.MSG_CTRUNC != 0:
			return errDescriptors
		// It is a reset where the back end has not read all it was sent.
		case err == nil && n == 0, errors.Is(err, io.EOF), errors.Is(err, unix.ECONNRESET):
			if got == 0 {
				return io.EOF
			}
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
		got += n
	}
	return nil
}

// unread reports whether something has arrived that was not received yet.
func (s socket) unread() bool {
	n := 0
	conn, err := s.conn.SyscallConn()
	if err == nil {
		_ = conn.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.TIOCINQ) })
	}
	return err == nil && n > 0
}
