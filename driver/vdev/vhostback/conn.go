package vhostback

import (
	"errors"
	"io"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// conn is the socket of one peer. One goroutine reads and answers.
type conn struct {
	socket  *net.UnixConn
	timeout time.Duration // for the rest of a message, and for writing a reply
	header  [headerSize]byte
	control []byte
	in      message
	payload [maxPayload]byte
}

func newConn(socket *net.UnixConn, timeout time.Duration) *conn {
	return &conn{socket: socket, timeout: timeout, control: make([]byte, unix.CmsgSpace(4*maxFDs))}
}

// read waits for the next message. It returns io.EOF if the peer disconnected
// between two messages. The message is valid until the next read. The caller has to
// call drop, also after an error: it closes the descriptors that no handler took.
func (c *conn) read() (*message, error) {
	m := &c.in
	*m = message{fds: m.fds[:0]}
	if err := c.socket.SetReadDeadline(time.Time{}); err != nil {
		return m, peerError(opRead, err)
	}
	if err := c.fill(m, c.header[:], true); err != nil {
		return m, err
	}
	m.request = request(native.Uint32(c.header[0:]))
	m.flags = native.Uint32(c.header[4:])
	size := native.Uint32(c.header[8:])
	if size > maxPayload {
		return m, m.wrong("payload size", uint64(size), "%d at most", maxPayload)
	}
	m.payload = c.payload[:size]
	return m, c.fill(m, m.payload, false)
}

// fill reads all of b. Only the first byte of a message may take longer than the
// timeout.
func (c *conn) fill(m *message, b []byte, first bool) error {
	for got := 0; got < len(b); {
		n, oobn, flags, _, err := c.socket.ReadMsgUnix(b[got:], c.control)
		if rights := c.takeRights(m, oobn, flags); rights != nil {
			return rights
		}
		if err == nil && n == 0 {
			err = io.EOF
		}
		switch {
		case errors.Is(err, io.EOF) && first && got == 0:
			return io.EOF
		case errors.Is(err, io.EOF):
			return peerError(opRead, io.ErrUnexpectedEOF)
		case err != nil:
			return peerError(opRead, err)
		}
		if first && got == 0 {
			if err := c.socket.SetReadDeadline(time.Now().Add(c.timeout)); err != nil {
				return peerError(opRead, err)
			}
		}
		got += n
	}
	return nil
}

// takeRights moves descriptors that arrived into the message. The kernel closes
// those that do not fit.
func (c *conn) takeRights(m *message, oobn, flags int) error {
	before := len(m.fds)
	if oobn > 0 {
		messages, err := unix.ParseSocketControlMessage(c.control[:oobn])
		if err != nil {
			return peerError(opRead, err)
		}
		for i := range messages {
			fds, err := unix.ParseUnixRights(&messages[i])
			if err == nil { // otherwise it is another kind of message
				m.fds = append(m.fds, fds...)
			}
		}
	}
	if flags&unix.MSG_CTRUNC != 0 && len(m.fds)-before < maxFDs {
		return descriptorError("receiving descriptors", unix.EMFILE) // there was room for more
	}
	if flags&unix.MSG_CTRUNC != 0 || len(m.fds) > maxFDs {
		return protocolError(opMessage, "number of descriptors", uint64(max(len(m.fds), maxFDs+1)), "%d at most", maxFDs)
	}
	return nil
}

// drop closes the descriptors that are left in a message.
func (m *message) drop() {
	for i, fd := range m.fds {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
		m.fds[i] = -1
	}
	m.fds = m.fds[:0]
}

// write sends a reply, with descriptors.
func (c *conn) write(r request, b []byte, fds ...int) error {
	err := c.socket.SetWriteDeadline(time.Now().Add(c.timeout))
	if err == nil && len(fds) > 0 {
		_, _, err = c.socket.WriteMsgUnix(b, unix.UnixRights(fds...), nil)
	} else if err == nil {
		_, err = c.socket.Write(b)
	}
	if err != nil {
		return peerError(opAnswer+r.String(), err)
	}
	return nil
}
