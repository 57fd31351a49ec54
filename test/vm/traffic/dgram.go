package traffic

import (
	"net"
	"os"
)

// Dgram is a wire of unix datagram sockets, one frame a datagram: the other
// end of QEMU's -netdev dgram.
type Dgram struct {
	*net.UnixConn
	name string
	path string
}

// DialDgram opens the socket local and connects it to QEMU's, which exists.
func DialDgram(name, local, remote string) (*Dgram, error) {
	conn, err := net.DialUnix("unixgram", &net.UnixAddr{Name: local, Net: "unixgram"},
		&net.UnixAddr{Name: remote, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	return &Dgram{UnixConn: conn, name: name, path: local}, nil
}

// Name says which wire this is.
func (d *Dgram) Name() string { return d.name }

// Send puts one frame onto the wire.
func (d *Dgram) Send(frame []byte) error {
	_, err := d.Write(frame)
	return err
}

// Receive takes one frame off the wire.
func (d *Dgram) Receive(buf []byte) (int, error) { return d.Read(buf) }

// Close closes the socket and removes its name.
func (d *Dgram) Close() error {
	err := d.UnixConn.Close()
	_ = os.Remove(d.path)
	return err
}
