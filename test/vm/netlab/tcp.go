package netlab

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/virtio-pmd/virtio-pmd/test/vm/talk"
)

// tcpPort is what the listening host listens on.
const tcpPort = 5001

// Transfer opens one TCP connection between two namespaces' hosts, has each
// send size random bytes to the other at the same time, and compares SHA-256
// of what was sent with what arrived.
func Transfer(ctx context.Context, a, b *Namespace, size int64) error {
	return transfer(ctx, a, b, a.Address.IP, b.Address.IP, size)
}

// TransferIPv6 is Transfer between hosts that have [Namespace.AddIPv6] addresses.
func TransferIPv6(ctx context.Context, a, b *Namespace, size int64) error {
	return transfer(ctx, a, b, a.ipv6, b.ipv6, size)
}

func transfer(ctx context.Context, a, b *Namespace, from, to net.IP, size int64) error {
	near, far, err := connect(ctx, a, b, from, to)
	if err != nil {
		return fmt.Errorf("netlab: tcp: %w", err)
	}
	defer func() { _ = near.Close(); _ = far.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = near.Close(); _ = far.Close() })
	defer stop()
	errs := make(chan error)
	go func() { errs <- oneWay(near, far, size, 1) }()
	go func() { errs <- oneWay(far, near, size, 2) }()
	return errors.Join(<-errs, <-errs)
}

// connect makes a connection from a's host to b's.
func connect(ctx context.Context, a, b *Namespace, from, to net.IP) (near, far *net.TCPConn, err error) {
	var listener *net.TCPListener
	err = b.Do(func() (err error) {
		listener, err = net.ListenTCP("tcp", &net.TCPAddr{IP: to, Port: tcpPort})
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = listener.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	err = a.Do(func() (err error) {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}
		conn, err := dialer.DialContext(ctx, "tcp", listener.Addr().String())
		if err == nil {
			near = conn.(*net.TCPConn)
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if far, err = listener.AcceptTCP(); err != nil {
		_ = near.Close()
		return nil, nil, err
	}
	return near, far, nil
}

// oneWay sends size random bytes from one end and checks them at the other.
func oneWay(from, to *net.TCPConn, size int64, seed byte) error {
	type end struct {
		sum talk.Sum
		err error
	}
	sender := make(chan end, 1)
	go func() {
		sum, err := talk.Send(from, size, seed)
		sender <- end{sum, err}
	}()
	got, err := talk.Receive(to)
	sent := <-sender
	if err := errors.Join(sent.err, err); err != nil {
		return fmt.Errorf("netlab: tcp %v > %v: %w", from.LocalAddr(), to.LocalAddr(), err)
	}
	if got != sent.sum || got.Bytes != size {
		return fmt.Errorf("netlab: tcp %v > %v: %v sent of %d bytes, %v arrived", from.LocalAddr(),
			to.LocalAddr(), sent.sum, size, got)
	}
	return nil
}
