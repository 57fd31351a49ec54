// Package talk is what two hosts send each other to show that frames pass between
// them unharmed: ping, and bytes over TCP of which both ends know the
// SHA-256. The hosts are namespaces of the test's machine (package netlab) and
// guests (package guest), which share no memory with the test.
package talk

import (
	"encoding/binary"
	"fmt"
	"net"
	"time"
)

// Network is the network that [net.ListenPacket] takes for the connection of [Ping].
const Network = "ip4:icmp"

// Ping sends count echo requests, each after the reply to the one before, of
// sizes from 64 bytes up to a full frame. A reply that does not come within
// wait is a loss.
func Ping(conn net.PacketConn, to net.IP, count int, wait time.Duration) error {
	for i := range count {
		if err := echo(conn, to, uint16(i), 64+i*(1480-64)/max(1, count-1), wait); err != nil {
			return fmt.Errorf("ping to %v: %d of %d: %w", to, i+1, count, err)
		}
	}
	return nil
}

// echo sends one request of size bytes of ICMP and waits for its reply.
func echo(conn net.PacketConn, to net.IP, seq uint16, size int, wait time.Duration) error {
	const request, reply, identifier = 8, 0, 0x7fa9
	b := make([]byte, size)
	for i := range b[8:] {
		b[8+i] = byte(i) ^ byte(seq)
	}
	b[0] = request
	binary.BigEndian.PutUint16(b[4:], identifier)
	binary.BigEndian.PutUint16(b[6:], seq)
	binary.BigEndian.PutUint16(b[2:], internetChecksum(b))
	if err := conn.SetDeadline(time.Now().Add(wait)); err != nil {
		return err
	}
	if _, err := conn.WriteTo(b, &net.IPAddr{IP: to}); err != nil {
		return err
	}
	got := make([]byte, 65536)
	for {
		l, from, err := conn.ReadFrom(got)
		if err != nil {
			return err
		}
		answer := got[:l]
		ip, ok := from.(*net.IPAddr)
		if !ok || !ip.IP.Equal(to) || l != size || answer[0] != reply ||
			binary.BigEndian.Uint16(answer[4:]) != identifier ||
			binary.BigEndian.Uint16(answer[6:]) != seq {
			continue
		}
		if string(answer[8:]) != string(b[8:]) {
			return fmt.Errorf("the reply carries other bytes than the request")
		}
		return nil
	}
}

// internetChecksum is that of a message whose checksum field is 0.
func internetChecksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
