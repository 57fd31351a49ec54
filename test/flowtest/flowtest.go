// Package flowtest makes packets of many flows for tests of how packets are spread over
// queues, and computes the hash that they are spread by from its definition.
package flowtest

import (
	"encoding/binary"
	"net/netip"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

const (
	etherHeader = 14
	ipv4Header  = 20
	ipv6Header  = 40
	udpHeader   = 8
	tcpHeader   = 20
	protocolTCP = 6
	protocolUDP = 17
)

// Flow is a flow of packets.
type Flow struct {
	Number   int // in the payload of each packet
	From, To netip.AddrPort
	TCP      bool
}

// New returns flow number n. Flows are UDP and TCP over IPv4 and IPv6 in turn.
func New(n int) Flow {
	x := uint32(n)*2654435761 + 12345 // addresses of a network that differ in many bits
	f := Flow{Number: n, TCP: n%2 != 0}
	if n%4 < 2 {
		f.From = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(x), byte(x >> 8), byte(n)}), uint16(1024+n))
		f.To = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 255, 0, byte(x >> 16)}), uint16(80+n%7))
		return f
	}
	from, to := [16]byte{0: 0xfd, 7: byte(n >> 8), 15: byte(n)}, [16]byte{0: 0xfd, 1: 1, 15: byte(x >> 16)}
	binary.BigEndian.PutUint32(from[8:], x)
	f.From = netip.AddrPortFrom(netip.AddrFrom16(from), uint16(1024+n))
	f.To = netip.AddrPortFrom(netip.AddrFrom16(to), uint16(80+n%7))
	return f
}

// Series returns the flows 0 to n-1.
func Series(n int) []Flow {
	list := make([]Flow, n)
	for i := range list {
		list[i] = New(i)
	}
	return list
}

// Frame returns a packet of the flow, to the Ethernet address to, with a number in its
// payload. Checksums are 0.
func (f Flow) Frame(to [6]byte, number int) []byte {
	payload := binary.BigEndian.AppendUint32(nil, uint32(f.Number))
	payload = binary.BigEndian.AppendUint32(payload, uint32(number))
	segment := f.transport(payload)
	frame := append(to[:], 2, 0, 0, 0, 0, 0x0f)
	source, destination := f.From.Addr().AsSlice(), f.To.Addr().AsSlice()
	if f.From.Addr().Is4() {
		frame = append(frame, 0x08, 0x00, 0x45, 0)
		frame = binary.BigEndian.AppendUint16(frame, uint16(ipv4Header+len(segment)))
		frame = append(frame, 0, 0, 0, 0, 64, f.protocol(), 0, 0)
	} else {
		frame = append(frame, 0x86, 0xdd, 0x60, 0, 0, 0)
		frame = binary.BigEndian.AppendUint16(frame, uint16(len(segment)))
		frame = append(frame, f.protocol(), 64)
	}
	frame = append(append(frame, source...), destination...)
	frame = append(frame, segment...)
	for len(frame) < 60 {
		frame = append(frame, 0)
	}
	return frame
}

func (f Flow) protocol() byte {
	if f.TCP {
		return protocolTCP
	}
	return protocolUDP
}

// transport returns a UDP or TCP header and the payload.
func (f Flow) transport(payload []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, f.From.Port())
	b = binary.BigEndian.AppendUint16(b, f.To.Port())
	if f.TCP {
		b = append(b, make([]byte, 8)...)
		b = append(b, tcpHeader/4<<4, 0x10, 0xff, 0xff, 0, 0, 0, 0)
	} else {
		b = binary.BigEndian.AppendUint16(b, uint16(udpHeader+len(payload)))
		b = append(b, 0, 0)
	}
	return append(b, payload...)
}

// Parse returns the numbers of the flow and of the packet that a frame of a flow has, and
// false for a frame that is too short to have them.
func Parse(frame []byte) (flow, number int, ok bool) {
	at := etherHeader + ipv4Header
	if len(frame) > at && frame[12] == 0x86 {
		at = etherHeader + ipv6Header
	}
	if len(frame) < at+tcpHeader+8 && len(frame) < at+udpHeader+8 {
		return 0, 0, false
	}
	protocol := frame[etherHeader+9]
	if at == etherHeader+ipv6Header {
		protocol = frame[etherHeader+6]
	}
	switch protocol {
	case protocolTCP:
		at += tcpHeader
	case protocolUDP:
		at += udpHeader
	default:
		return 0, 0, false
	}
	if len(frame) < at+8 {
		return 0, 0, false
	}
	return int(binary.BigEndian.Uint32(frame[at:])), int(binary.BigEndian.Uint32(frame[at+4:])), true
}

// Hash returns the hash of the packets of the flow with a key, for a device that hashes
// packets of these types, and of which type it is.
func (f Flow) Hash(key []byte, types virtio.HashTypes) (uint32, virtio.HashReport) {
	addresses := append(f.From.Addr().AsSlice(), f.To.Addr().AsSlice()...)
	ports := binary.BigEndian.AppendUint16(nil, f.From.Port())
	ports = binary.BigEndian.AppendUint16(ports, f.To.Port())
	with, without := virtio.HashReportUDPv4, virtio.HashReportIPv4
	if f.TCP {
		with = virtio.HashReportTCPv4
	}
	if !f.From.Addr().Is4() {
		with += virtio.HashReportIPv6 - virtio.HashReportIPv4
		without = virtio.HashReportIPv6
	}
	switch {
	case types>>(with-1)&1 != 0:
		return Toeplitz(key, append(addresses, ports...)), with
	case types>>(without-1)&1 != 0:
		return Toeplitz(key, addresses), without
	}
	return 0, virtio.HashReportNone
}

// Toeplitz returns the hash of input by its definition: each bit of the input that is set
// adds, without carry, the 32 bits of the key that begin where it is. The key goes on with
// zeros.
func Toeplitz(key, input []byte) uint32 {
	bit := func(b []byte, i int) uint32 {
		if i/8 >= len(b) {
			return 0
		}
		return uint32(b[i/8]>>(7-i%8)) & 1
	}
	var hash uint32
	for i := range 8 * len(input) {
		if bit(input, i) == 0 {
			continue
		}
		for j := range 32 {
			hash ^= bit(key, i+j) << (31 - j)
		}
	}
	return hash
}
