package main

import (
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/virtio-pmd/virtio-pmd/test/vm/talk"
)

// replyTime is how long a reply to a ping may take: the two machines are
// emulated, on a host that may have more to do than CPUs.
const replyTime = 5 * time.Second

// ping pings a host: FROM TO COUNT. A reply that is missing is an error.
func ping(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("ping FROM TO COUNT")
	}
	count, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	conn, err := net.ListenPacket(talk.Network, args[0])
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return talk.Ping(conn, net.ParseIP(args[1]), count, replyTime)
}

// send sends so many random bytes over TCP and prints their sum: ADDRESS SIZE.
func send(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("send ADDRESS SIZE")
	}
	size, err := strconv.ParseInt(args[1], 0, 64)
	if err != nil {
		return err
	}
	conn, err := net.Dial("tcp4", args[0])
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	sum, err := talk.Send(conn.(*net.TCPConn), size, byte(time.Now().UnixNano()))
	fmt.Println(sum)
	return err
}

// receive takes one TCP connection and prints the sum of what came: ADDRESS.
// It says that it listens first.
func receive(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("receive ADDRESS")
	}
	listener, err := net.Listen("tcp4", args[0])
	if err != nil {
		return err
	}
	fmt.Println("listening")
	conn, err := listener.Accept()
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	sum, err := talk.Receive(conn.(*net.TCPConn))
	fmt.Println(sum)
	return err
}
