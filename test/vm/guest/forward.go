package main

import (
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// forward passes frames between two of the kernel's own interfaces until it is
// killed: NAME NAME. It shows that the kernel's driver works, and is what the
// harness itself was tried with.
func forward(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("forward NAME NAME")
	}
	a, err := packetSocket(args[0])
	if err != nil {
		return err
	}
	b, err := packetSocket(args[1])
	if err != nil {
		return err
	}
	fmt.Println("forwarding")
	ended := make(chan error, 2)
	go func() { ended <- pass(a, b) }()
	go func() { ended <- pass(b, a) }()
	return <-ended
}

// packetSocket opens a socket that sees every frame of an interface.
func packetSocket(name string) (int, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return -1, err
	}
	const protocol = unix.ETH_P_ALL>>8 | unix.ETH_P_ALL&0xff<<8 // network byte order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return -1, fmt.Errorf("packet socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol,
		Ifindex: i.Index}); err != nil {
		return -1, fmt.Errorf("packet socket on %s: %w", name, err)
	}
	m := &unix.PacketMreq{Ifindex: int32(i.Index), Type: unix.PACKET_MR_PROMISC}
	if err := unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP,
		m); err != nil {
		return -1, fmt.Errorf("promiscuous mode on %s: %w", name, err)
	}
	return fd, nil
}

// pass sends every frame that arrives on one socket out of another.
func pass(from, to int) error {
	buf := make([]byte, 65536)
	for {
		n, sa, err := unix.Recvfrom(from, buf, 0)
		if err != nil {
			return fmt.Errorf("receiving: %w", err)
		}
		// The socket sees its own interface's sent frames too.
		if ll, ok := sa.(*unix.SockaddrLinklayer); ok && ll.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		if _, err := unix.Write(to, buf[:n]); err != nil {
			return fmt.Errorf("sending: %w", err)
		}
	}
}
