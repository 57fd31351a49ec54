package netlab

import (
	"fmt"
	"net"
	"time"

	"github.com/virtio-pmd/virtio-pmd/test/vm/talk"
)

// Ping sends count echo requests to another namespace's host, as [talk.Ping] does.
func (n *Namespace) Ping(to *Namespace, count int, wait time.Duration) error {
	return n.PingAddress(to.Address.IP, count, wait)
}

// PingAddress sends count echo requests to a host that may be anywhere.
func (n *Namespace) PingAddress(to net.IP, count int, wait time.Duration) error {
	var conn net.PacketConn
	err := n.Do(func() (err error) {
		conn, err = net.ListenPacket(talk.Network, n.Address.IP.String())
		return err
	})
	if err != nil {
		return fmt.Errorf("netlab: ping: %w", err)
	}
	defer func() { _ = conn.Close() }()
	if err := talk.Ping(conn, to, count, wait); err != nil {
		return fmt.Errorf("netlab: namespace %s: %w", n.Name, err)
	}
	return nil
}
