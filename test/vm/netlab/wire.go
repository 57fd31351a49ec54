package netlab

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Wire is a packet socket on a namespace's interface: frames sent go out of
// the interface, into QEMU, and frames received have come in from there.
type Wire struct {
	*os.File
	name string
}

// Wire opens a packet socket on the interface.
func (n *Namespace) Wire() (*Wire, error) {
	var w *Wire
	err := n.Do(func() (err error) {
		w, err = n.wire()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("netlab: packet socket in %s: %w", n.Name, err)
	}
	return w, nil
}

// wire opens the socket from inside the namespace.
func (n *Namespace) wire() (*Wire, error) {
	const protocol = unix.ETH_P_ALL>>8 | unix.ETH_P_ALL&0xff<<8 // network byte order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	// Nothing is received before Bind names the protocol.
	err = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20)
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: n.index})
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return &Wire{File: os.NewFile(uintptr(fd), n.Name), name: n.Name}, nil
}

// Name says which wire this is.
func (w *Wire) Name() string { return w.name }

// Send puts one frame onto the wire.
func (w *Wire) Send(frame []byte) error {
	_, err := w.Write(frame)
	return err
}

// Receive takes one frame off the wire.
func (w *Wire) Receive(buf []byte) (int, error) { return w.Read(buf) }
