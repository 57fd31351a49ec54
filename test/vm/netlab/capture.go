package netlab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// headerLen is the length of the virtio-net header that packet sockets and TAP
// interfaces use: without num_buffers.
const headerLen = 10

// Capture is a [Wire] whose frames come as the interface has received them: with what is
// left to be done on them.
type Capture struct{ wire *Wire }

// Packet is a captured packet.
type Packet struct {
	Flags, GSOType                         byte
	HdrLen, GSOSize, CsumStart, CsumOffset uint16
	Frame                                  []byte
}

// Capture opens such a wire.
func (n *Namespace) Capture() (*Capture, error) {
	w, err := n.Wire()
	if err != nil {
		return nil, err
	}
	raw, err := w.SyscallConn()
	if err == nil {
		e := raw.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1)
		})
		err = errors.Join(err, e)
	}
	if err != nil {
		_ = w.Close()
		return nil, fmt.Errorf("netlab: headers of packets in %s: %w", n.Name, err)
	}
	return &Capture{w}, nil
}

// Close closes the socket.
func (c *Capture) Close() error { return c.wire.Close() }

// Next returns the next packet. Its frame lies in buf. If none comes in time, the error is
// [os.ErrDeadlineExceeded].
func (c *Capture) Next(buf []byte, within time.Duration) (Packet, error) {
	if err := c.wire.SetReadDeadline(time.Now().Add(within)); err != nil {
		return Packet{}, err
	}
	n, err := c.wire.Read(buf)
	if err != nil {
		return Packet{}, err
	}
	if n < headerLen {
		return Packet{}, fmt.Errorf("netlab: a packet of %d bytes has no header", n)
	}
	le := binary.LittleEndian
	return Packet{
		Flags: buf[0], GSOType: buf[1],
		HdrLen: le.Uint16(buf[2:]), GSOSize: le.Uint16(buf[4:]),
		CsumStart: le.Uint16(buf[6:]), CsumOffset: le.Uint16(buf[8:]),
		Frame: buf[headerLen:n],
	}, nil
}
